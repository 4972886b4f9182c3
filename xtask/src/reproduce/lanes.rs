//! Work side by side, each piece on its share of the threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use miette::{IntoDiagnostic, Report};
use rayon::ThreadPoolBuilder;

/// A piece of work, and the one whose result must be there before it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) place: usize,
    pub(super) needs: Option<usize>,
}

/// What has become of the tasks.
struct Board<T> {
    /// In the order in which they are to begin.
    waiting: Vec<Task>,
    done: BTreeMap<usize, T>,
    failed: Option<Report>,
}

struct Lanes<'a, T> {
    board: Mutex<Board<T>>,
    changed: Condvar,
    /// No other task begins, and those at work need not go on. Changed with the board.
    stop: &'a AtomicBool,
}

impl<T> Lanes<'_, T> {
    /// Changes the board and wakes those that wait for it.
    fn change(&self, change: impl FnOnce(&mut Board<T>)) {
        change(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Lets no other task begin.
    fn end(&self, error: Option<Report>) {
        self.change(|board| {
            // Under the lock: what others end with comes after their reason to do so.
            self.stop.store(true, Ordering::Relaxed);
            if board.failed.is_none() {
                board.failed = error;
            }
        });
    }

    /// The next task that may begin, once there is one.
    fn next(&self) -> Option<Task> {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.stop.load(Ordering::Relaxed) || board.waiting.is_empty() {
                return None;
            }
            let ready = |task: &Task| {
                task.needs
                    .is_none_or(|other| board.done.contains_key(&other))
            };
            if let Some(first) = board.waiting.iter().position(ready) {
                return Some(board.waiting.remove(first));
            }
            let woken = self.changed.wait(board);
            board = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Lets nobody wait for what will not come: a task that panicked is never done.
struct Guard<'a, T>(&'a Lanes<'a, T>);

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(None);
        }
    }
}

/// Does all tasks, as many at once as there are threads, and gives their results by place.
/// Each lane is a pool of its own: `threads` are at work together, whatever a task asks for.
/// Of those that may begin the first does. What a task needs must be another of the tasks, and
/// needs must not run in a circle; `stop` is not set at first, and here alone.
///
/// # Errors
/// The first that a task ends with; no other one begins after it, and `stop` tells those at
/// work.
pub(super) fn side_by_side<T: Send>(
    tasks: Vec<Task>,
    threads: usize,
    stop: &AtomicBool,
    work: impl Fn(usize) -> miette::Result<T> + Sync,
) -> miette::Result<BTreeMap<usize, T>> {
    let count = threads.min(tasks.len());
    let lanes = Lanes {
        board: Mutex::new(Board {
            waiting: tasks,
            done: BTreeMap::new(),
            failed: None,
        }),
        changed: Condvar::new(),
        stop,
    };
    let lane = |threads: usize| {
        let _guard = Guard(&lanes);
        let pool = ThreadPoolBuilder::new().num_threads(threads);
        // Held as long as the lane works; its thread is one of the pool's.
        let _pool = match pool.use_current_thread().build().into_diagnostic() {
            Ok(pool) => pool,
            Err(error) => return lanes.end(Some(error)),
        };
        while let Some(task) = lanes.next() {
            match work(task.place) {
                Ok(result) => lanes.change(|board| {
                    board.done.insert(task.place, result);
                }),
                Err(error) => lanes.end(Some(error)),
            }
        }
    };
    thread::scope(|scope| {
        for place in 0..count {
            let share = threads / count + usize::from(place < threads % count);
            let lane = &lane;
            scope.spawn(move || lane(share));
        }
    });
    let board = lanes.board.into_inner();
    let board = board.unwrap_or_else(PoisonError::into_inner);
    board.failed.map_or(Ok(board.done), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use miette::bail;

    use super::*;

    fn tasks(needs: &[Option<usize>]) -> Vec<Task> {
        let places = needs.iter().enumerate();
        places
            .map(|(place, &needs)| Task { place, needs })
            .collect()
    }

    #[test]
    fn what_is_needed_comes_before_and_no_more_threads_work_than_there_are() {
        let needs = [None, Some(0), None, Some(1), None, Some(3), Some(2)];
        for threads in [1, 2, 3, 9, 20] {
            let (order, busy) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
            let results = side_by_side(tasks(&needs), threads, &AtomicBool::new(false), |place| {
                let mine = rayon::current_num_threads();
                let all = mine + busy.fetch_add(mine, Ordering::SeqCst);
                thread::sleep(std::time::Duration::from_millis(2));
                busy.fetch_sub(mine, Ordering::SeqCst);
                order.lock().unwrap().push(place);
                Ok((10 * place, all))
            });
            let results = results.unwrap();
            let order = order.into_inner().unwrap();
            let at = |place: usize| order.iter().position(|&p| p == place).unwrap();
            for (place, needs) in needs.iter().enumerate() {
                assert_eq!(results[&place].0, 10 * place);
                assert!(
                    results[&place].1 <= threads,
                    "{} of {threads}",
                    results[&place].1
                );
                assert!(needs.is_none_or(|needs| at(needs) < at(place)), "{order:?}");
            }
        }
        assert!(
            side_by_side(Vec::new(), 2, &AtomicBool::new(false), |_| Ok(()))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_error_ends_all_and_so_does_a_panic() {
        let needs = [None, None, Some(0), Some(0), Some(1)];
        for threads in [1, 2, 5] {
            for panics in [false, true] {
                let (begun, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
                let work = |place| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    match place {
                        0 if panics => panic!("a fault"),
                        0 => bail!("no such thing"),
                        // At work beside it for as long as nobody says to stop.
                        _ => {
                            while !stop.load(Ordering::Relaxed) {
                                thread::yield_now();
                            }
                        }
                    }
                    bail!("stopped")
                };
                let all = || side_by_side::<()>(tasks(&needs), threads, &stop, work);
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(all));
                assert_eq!(result.is_err(), panics);
                if let Ok(result) = result {
                    assert_eq!(result.unwrap_err().to_string(), "no such thing");
                }
                assert!(begun.into_inner() <= 2);
            }
        }
    }
}
