//! The events of a step, and which rows of strengths they touch.

use crate::lowered::Common;
use crate::synapse::{L, SynapseTable};

/// A step: its place, and its length in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) index: usize,
    pub(crate) h: f64,
}

impl Step {
    pub(crate) fn start(self) -> f64 {
        self.index as f64 * self.h
    }
    pub(crate) fn end(self) -> f64 {
        (self.index + 1) as f64 * self.h
    }
    /// Distance of a moment to the end of the step, from the step's middle.
    pub(crate) fn middle_offset(self, time: f64) -> f32 {
        (self.end() - time - 0.5 * self.h) as f32
    }
}

/// One event on one row of the synapse table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    base: u32,
    first: u16,
    last: u16,
    /// Microseconds from the beginning of the step.
    pub(crate) at: f32,
    /// Distance to the end of the step, from its middle.
    pub(crate) e: f32,
}

impl Touch {
    /// The strengths of this event on a block, if it reaches the block.
    #[inline(always)]
    pub(crate) fn on<'a>(&self, table: &'a SynapseTable, block: usize) -> Option<&'a [f32; L]> {
        let offset = block.wrapping_sub(self.first.into());
        (offset < usize::from(self.last - self.first))
            .then(|| &table.strengths()[self.base as usize + offset])
    }
}

/// Events of the running step and those still to come.
#[derive(Debug, Clone)]
pub(crate) struct Events<const G: usize> {
    /// `[group]`: rows that conduct in this step.
    pub(crate) touches: [Vec<Touch>; G],
    /// Recurrent events that have not arrived: (microseconds, source).
    pending: Vec<(f64, u16)>,
    next_input: usize,
}

impl<const G: usize> Default for Events<G> {
    fn default() -> Self {
        Self {
            touches: std::array::from_fn(|_| Vec::new()),
            pending: Vec::new(),
            next_input: 0,
        }
    }
}

impl<const G: usize> Events<G> {
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.next_input = 0;
    }

    /// Whether any row conducts in this step.
    #[inline(always)]
    pub(crate) fn any(&self) -> bool {
        self.touches.iter().any(|touches| !touches.is_empty())
    }

    /// Keeps an event for a later step.
    pub(crate) fn defer(&mut self, time: f64, source: u16) {
        self.pending.push((time, source));
    }

    /// Finds the rows that conduct in a step; `times` are in seconds.
    #[inline(always)]
    pub(crate) fn gather(&mut self, common: &Common, times: &[f64], sources: &[u16], step: Step) {
        for touches in &mut self.touches {
            touches.clear();
        }
        while let Some(&time) = times.get(self.next_input) {
            let time = time * 1e6;
            if time >= step.end() {
                break;
            }
            self.touch(common, sources[self.next_input], time, step);
            self.next_input += 1;
        }
        let mut i = 0;
        while i < self.pending.len() {
            let (time, source) = self.pending[i];
            if time < step.end() {
                self.pending.swap_remove(i);
                self.touch(common, source, time, step);
            } else {
                i += 1;
            }
        }
    }

    #[inline(always)]
    fn touch(&mut self, common: &Common, source: u16, time: f64, step: Step) {
        for (g, touches) in self.touches.iter_mut().enumerate() {
            let row = common.table.row(source.into(), g);
            if row.first < row.last {
                touches.push(Touch {
                    base: row.base,
                    first: row.first,
                    last: row.last,
                    at: (time - step.start()).max(0.0) as f32,
                    e: step.middle_offset(time),
                });
            }
        }
    }
}
