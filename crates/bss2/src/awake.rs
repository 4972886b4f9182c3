//! Threads that stay awake from one parallel part of a batch to the next.
//!
//! A batch is half a dozen parallel parts, each a fraction of a millisecond, with a little in
//! between that one thread does. rayon's workers go to sleep after some 20 us without work, and
//! to wake one takes as long again on both sides, more on virtual machines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::Yield;

/// How long a thread looks for its next part before it may sleep.
const PATIENCE: Duration = Duration::from_micros(200);

/// Does some work while the other threads of its pool wait for their parts of it without going
/// to sleep. All of them are needed for it to end: none may wait for something that comes
/// after it.
pub(crate) fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_num_threads() == 1 {
        return work();
    }
    let over = &AtomicBool::new(false);
    rayon::scope(|scope| {
        let own = rayon::current_thread_index();
        scope.spawn_broadcast(move |_, context| {
            // Where this thread comes by its own while it waits for others, it goes on.
            if Some(context.index()) != own {
                take_parts(over);
            }
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// Takes parts of the work that others hand out, until it is over or nobody has any.
fn take_parts(over: &AtomicBool) {
    let mut last = Instant::now();
    while !over.load(Ordering::Relaxed) && last.elapsed() < PATIENCE {
        if rayon::yield_now() == Some(Yield::Executed) {
            last = Instant::now();
        } else {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn the_result_is_that_of_the_work() {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let sums: u32 = pool.unwrap().install(|| {
                let sum = |n: u32| -> u32 { (0..n).into_par_iter().with_max_len(8).sum() };
                // Parts within parts, and batches that follow each other.
                let batch = |n: u32| awake(|| vec![n, 2 * n].into_par_iter().map(sum).sum::<u32>());
                (1..200).map(batch).sum()
            });
            let expected = (1..200).map(|n| n * (n - 1) / 2 + n * (2 * n - 1));
            assert_eq!(sums, expected.sum::<u32>());
        }
    }

    #[test]
    fn a_panic_comes_through() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let pool = pool.unwrap();
        let work = AssertUnwindSafe(|| pool.install(|| awake(|| panic!("in a batch"))));
        assert!(std::panic::catch_unwind(work).is_err());
    }
}
