//! The events of a step, and which rows of strengths they touch.

use std::ops::Range;

use bss2_event::TimeGrid;

use crate::integration::Grid;
#[cfg(test)]
use crate::lanes::Lanes;
use crate::lanes::{L, VECTOR};
use crate::lowered::Common;
use crate::synapse::Row;

/// A step: its place on the grid, where that begins, and its length in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) index: usize,
    pub(crate) origin: f64,
    pub(crate) h: f64,
}

impl Step {
    pub(crate) fn start(self) -> f64 {
        self.origin + self.index as f64 * self.h
    }
    pub(crate) fn end(self) -> f64 {
        self.origin + (self.index + 1) as f64 * self.h
    }
    /// Distance of a moment to the end of the step, from the step's middle.
    pub(crate) fn middle_offset(self, time: f64) -> f32 {
        (self.end() - time - 0.5 * self.h) as f32
    }
}

/// One event of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepEvent {
    /// Microseconds from the beginning of the step.
    pub(crate) at: f32,
    /// First and last + 1 of the rows that it opens.
    opened: (u32, u32),
}

impl StepEvent {
    /// Which of the step's opened rows are its own.
    #[inline(always)]
    pub(crate) fn opened(&self) -> Range<usize> {
        self.opened.0 as usize..self.opened.1 as usize
    }
}

/// A row that an event opens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) group: u8,
    pub(crate) row: Row,
}

/// One event on one row that it opens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    pub(crate) row: Row,
    /// Distance to the end of the step, from its middle.
    pub(crate) e: f32,
}

/// Events of the running step and those still to come.
#[derive(Debug, Clone)]
pub(crate) struct Events<const G: usize> {
    /// In the order of time.
    pub(crate) step: Vec<StepEvent>,
    /// Rows that they open, event by event.
    pub(crate) opened: Vec<Opened>,
    /// `[group]`: the same events, where they open a row.
    pub(crate) touches: [Vec<Touch>; G],
    /// Blocks that they reach, and perhaps some in between that they do not.
    reached: Range<usize>,
    /// Recurrent events that have not arrived: (microseconds, source).
    pending: Vec<(f64, u16)>,
    next_input: usize,
}

impl<const G: usize> Default for Events<G> {
    fn default() -> Self {
        Self {
            step: Vec::new(),
            opened: Vec::new(),
            touches: std::array::from_fn(|_| Vec::new()),
            reached: 0..0,
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

    /// Begins with the inputs of another run, `elapsed` microseconds later.
    pub(crate) fn carry_over(&mut self, elapsed: f64) {
        for (time, _) in &mut self.pending {
            *time -= elapsed;
        }
        self.next_input = 0;
    }

    /// Loses the recurrent events that arrive before a time, and counts them.
    pub(crate) fn lose_until(&mut self, time: f64) -> usize {
        let before = self.pending.len();
        self.pending.retain(|&(arrival, _)| arrival >= time);
        before - self.pending.len()
    }

    /// Keeps an event for a later step.
    pub(crate) fn defer(&mut self, time: f64, source: u16) {
        self.pending.push((time, source));
    }

    /// Finds the events of a step; `times` are in seconds.
    #[inline(always)]
    pub(crate) fn gather(&mut self, common: &Common, times: &[f64], sources: &[u16], step: Step) {
        self.step.clear();
        self.opened.clear();
        self.forget_sums();
        // The learner's steps hold what is a multiple of them in spite of rounding.
        let slack = match common.integration.grid {
            Grid::Exact => 0.0,
            Grid::Snapped => TimeGrid::SLACK * step.h,
        };
        let end = step.end() - slack;
        while let Some(&time) = times.get(self.next_input) {
            let time = time * 1e6;
            if time >= end {
                break;
            }
            self.sum(common, sources[self.next_input], time, step);
            self.next_input += 1;
        }
        let mut i = 0;
        let inputs = self.step.len();
        while i < self.pending.len() {
            let (time, source) = self.pending[i];
            if time < end {
                self.pending.remove(i);
                self.sum(common, source, time, step);
            } else {
                i += 1;
            }
        }
        if self.step.len() > inputs {
            self.step.sort_by(|a, b| a.at.total_cmp(&b.at));
        }
    }

    /// Lets sums over events begin anew with those that are inserted from now on.
    #[inline(always)]
    pub(crate) fn forget_sums(&mut self) {
        for touches in &mut self.touches {
            touches.clear();
        }
        self.reached = 0..0;
    }

    /// The blocks that the sums may reach.
    #[inline(always)]
    pub(crate) fn reached(&self) -> Range<usize> {
        self.reached.clone()
    }

    /// The first vector of lanes of a block that the sums reach.
    #[inline(always)]
    pub(crate) fn first_vector(&self, block: usize) -> usize {
        let rows = self.touches.iter().flatten().map(|touch| touch.row);
        let first = rows
            .filter(|row| row.reaches(block))
            .map(|row| row.vectors().start);
        first.min().unwrap_or(L / VECTOR)
    }

    /// Adds an event to a step whose sums are made.
    #[inline(always)]
    pub(crate) fn insert(&mut self, common: &Common, source: u16, time: f64, step: Step) {
        self.sum(common, source, time, step);
        if let Some(event) = self.step.pop() {
            // Most arrive after all others.
            let before = self.step.iter().rposition(|other| other.at <= event.at);
            self.step.insert(before.map_or(0, |last| last + 1), event);
        }
    }

    /// Adds an event that takes part in the sums of the step.
    #[inline(always)]
    fn sum(&mut self, common: &Common, source: u16, time: f64, step: Step) {
        self.add(common.table.rows(source), time, step);
    }

    /// The same of an event that opens a row for each group.
    #[inline(always)]
    fn add(&mut self, rows: &[Row], time: f64, step: Step) {
        let e = step.middle_offset(time);
        let at = (time - step.start()).max(0.0) as f32;
        let first = self.opened.len();
        for (group, &row) in rows.iter().enumerate() {
            if row.first < row.last {
                self.touches[group].push(Touch { row, e });
                let (first, last) = (usize::from(row.first), usize::from(row.last));
                self.reached = if self.reached.is_empty() {
                    first..last
                } else {
                    self.reached.start.min(first)..self.reached.end.max(last)
                };
                let group = group as u8;
                self.opened.push(Opened { group, row });
            }
        }
        let opened = (first as u32, self.opened.len() as u32);
        self.step.push(StepEvent { at, opened });
    }

    /// The rows that an event of the step opens.
    #[inline(always)]
    pub(crate) fn opened(&self, event: &StepEvent) -> &[Opened] {
        &self.opened[event.opened()]
    }
}

#[cfg(test)]
impl<const G: usize> Events<G> {
    /// Events of a step on one block, in the order of time: microseconds from its beginning and
    /// strengths of each group; with the rows that hold these.
    pub(crate) fn of_step(step: Step, events: &[(f32, [Lanes; G])]) -> (Self, Vec<Lanes>) {
        let (mut made, mut strengths) = (Self::default(), Vec::new());
        for (at, of_groups) in events {
            let rows = of_groups.map(|of_group| {
                strengths.push(of_group);
                Row {
                    base: strengths.len() as u32 - 1,
                    first: 0,
                    last: 1,
                    from_lane: 0,
                }
            });
            made.add(&rows, step.start() + f64::from(*at), step);
        }
        (made, strengths)
    }
}
