//! Queues that serve one event per clock cycle.

/// A first-in-first-out queue of limited depth, by clock cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fifo {
    /// Cycle in which the last accepted event is served.
    last: i64,
}

impl Fifo {
    pub(crate) const EMPTY: Self = Self { last: i64::MIN / 2 };

    /// The cycle in which an event that comes at `cycle` is served, or `None`
    /// when `depth` events already wait.
    #[inline(always)]
    pub(crate) fn accept(&mut self, cycle: i64, depth: i64) -> Option<i64> {
        let served = cycle.max(self.last + 1);
        // One event leaves per cycle, so the wait counts those ahead.
        if served - cycle > depth {
            return None;
        }
        self.last = served;
        Some(served)
    }
}

/// The cycles of an output that several sources share: one event each, up to
/// the end of a window.
///
/// An event takes the first free cycle from when it comes. No cycle stays idle
/// while an event waits, whatever the order in which events are asked for; a
/// round-robin arbiter fills the same cycles and may exchange who of several
/// waiting events goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slots {
    /// One bit per cycle.
    taken: Vec<u64>,
    /// Words that may hold a bit.
    used: usize,
}

impl Slots {
    pub(crate) fn new(cycles: usize) -> Self {
        Self {
            taken: vec![0; cycles.div_ceil(64)],
            used: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.taken[..self.used].fill(0);
        self.used = 0;
    }

    /// Serves an event as a queue of limited depth does: in the first free
    /// cycle, or not at all when `depth` events already wait.
    #[inline(always)]
    pub(crate) fn accept(&mut self, cycle: i64, depth: i64) -> Option<i64> {
        let served = self.first_free(cycle);
        if served - cycle > depth {
            return None;
        }
        self.take(served);
        Some(served)
    }

    /// The first free cycle from `cycle` on. Beyond the window all are free.
    #[inline(always)]
    pub(crate) fn first_free(&self, cycle: i64) -> i64 {
        let mut word = (cycle >> 6) as usize;
        let mut open = u64::MAX << (cycle & 63);
        while let Some(&taken) = self.taken.get(word) {
            let free = !taken & open;
            if free != 0 {
                return (word as i64) << 6 | i64::from(free.trailing_zeros());
            }
            open = u64::MAX;
            word += 1;
        }
        cycle.max((word as i64) << 6)
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, cycle: i64) {
        let word = (cycle >> 6) as usize;
        if let Some(bits) = self.taken.get_mut(word) {
            *bits |= 1 << (cycle & 63);
            self.used = self.used.max(word + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_the_new_event() {
        let mut fifo = Fifo::EMPTY;
        let served: Vec<_> = (0..5).map(|_| fifo.accept(10, 2)).collect();
        assert_eq!(served, [Some(10), Some(11), Some(12), None, None]);
        assert_eq!(fifo.accept(11, 2), Some(13));
        assert_eq!(fifo.accept(100, 2), Some(100));
    }

    #[test]
    fn slots_fill_gaps_and_end_with_the_window() {
        let mut slots = Slots::new(128);
        for cycle in 60..70 {
            slots.take(cycle);
        }
        assert_eq!(slots.first_free(59), 59);
        assert_eq!(slots.first_free(60), 70);
        for cycle in 70..128 {
            slots.take(cycle);
        }
        assert_eq!(slots.first_free(61), 128);
        slots.take(5000);
        assert_eq!(slots.first_free(5000), 5000);
        slots.clear();
        assert_eq!(slots.first_free(61), 61);
    }
}
