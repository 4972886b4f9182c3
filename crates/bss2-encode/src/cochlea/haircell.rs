//! The inner hair cell: three pools of transmitter.
//!
//! Velocity v opens the membrane of the cell to the permeability
//! `k = g (v + A) / (v + A + B)`, zero where v <= -A. Of the free transmitter
//! q, `k q` is released into the cleft c, of which `l c` is lost and `r c`
//! taken back to be reprocessed (w):
//!
//! - `q += dt (y (M - q) - k q + x w)`, the first term only where q < M
//! - `c += dt (k q - (l + r) c)`
//! - `w += dt (r c - x w)`
//!
//! each by Euler's step at the velocity's rate, with the pools of the step
//! before, and never below zero. A fibre fires with probability `h c dt` per
//! step. The step is part of the published encoder, and a finer one would give
//! other figures. It multiplies a deviation of c by 1 - (l + r) dt: with the
//! published values it overshoots in recordings below 18.16 kHz, where that is
//! negative, and grows below 9.08 kHz, where that is beyond -1.
//!
//! # Source
//! Meddis, J. Acoust. Soc. Am. 79, 702 (1986) and 83, 1056 (1988), numbers of
//! the latter's medium-rate fibre; initial pools are those at rest.

use bss2_event::RangeError;
use serde::{Deserialize, Serialize};

use super::response::{LANES, Lanes};

/// Parameters of the hair cell, each 1e-3 to 1e6; rates in 1/s.
///
/// What leaves a pool in a step must not exceed it: release, replenishment,
/// reprocessing, and loss and recovery together are at most half the rate of the
/// recording. The published values are taken at every rate, as the published
/// encoder does, and smaller ones with them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HairCellConfig {
    /// Permeability offset A.
    pub permeability_offset: f64,
    /// Permeability rate B.
    pub permeability_rate: f64,
    /// Release g at full permeability.
    pub release: f64,
    /// Replenishment y of the free transmitter.
    pub replenishment: f64,
    /// Loss l from the cleft.
    pub loss: f64,
    /// Return r from the cleft.
    pub recovery: f64,
    /// Reprocessing x.
    pub reprocessing: f64,
    /// Firing rate h per transmitter in the cleft.
    pub firing: f64,
    /// Largest free transmitter M.
    pub capacity: f64,
}

impl Default for HairCellConfig {
    /// The published values.
    fn default() -> Self {
        Self {
            permeability_offset: 5.0,
            permeability_rate: 300.0,
            release: 2_000.0,
            replenishment: 5.05,
            loss: 2_500.0,
            recovery: 6_580.0,
            reprocessing: 66.3,
            firing: 50_000.0,
            capacity: 1.0,
        }
    }
}

impl HairCellConfig {
    /// Checks all parameters, for a rate of the velocity in Hz.
    pub(super) fn validate(&self, rate: f64) -> Result<(), RangeError> {
        for (field, value) in [
            ("hair_cell.permeability_offset", self.permeability_offset),
            ("hair_cell.permeability_rate", self.permeability_rate),
            ("hair_cell.release", self.release),
            ("hair_cell.replenishment", self.replenishment),
            ("hair_cell.loss", self.loss),
            ("hair_cell.recovery", self.recovery),
            ("hair_cell.reprocessing", self.reprocessing),
            ("hair_cell.firing", self.firing),
            ("hair_cell.capacity", self.capacity),
        ] {
            RangeError::check(field, value, 1e-3, 1e6, "")?;
        }
        let published = Self::default();
        for (field, value, published) in [
            ("hair_cell.release", self.release, published.release),
            (
                "hair_cell.replenishment",
                self.replenishment,
                published.replenishment,
            ),
            (
                "hair_cell.loss + hair_cell.recovery",
                self.loss + self.recovery,
                published.loss + published.recovery,
            ),
            (
                "hair_cell.reprocessing",
                self.reprocessing,
                published.reprocessing,
            ),
        ] {
            RangeError::check(field, value, 1e-3, published.max(rate), "1/s")?;
        }
        Ok(())
    }

    /// Constants at a rate of the velocity in Hz.
    pub(super) fn compile(&self, rate: f64) -> HairCell {
        HairCell {
            offset: self.permeability_offset,
            half: self.permeability_rate,
            release: self.release / rate,
            refill: self.replenishment * self.capacity / rate,
            replenishment: self.replenishment / rate,
            clearance: (self.loss + self.recovery) / rate,
            recovery: self.recovery / rate,
            reprocessing: self.reprocessing / rate,
            firing: self.firing / rate,
            capacity: self.capacity,
        }
    }

    /// The pools at rest.
    pub(super) fn rest(&self) -> Pools {
        let k = self.release * self.permeability_offset
            / (self.permeability_offset + self.permeability_rate);
        let away = self.loss + self.recovery;
        let cleft =
            self.capacity * self.replenishment * k / (self.loss * k + self.replenishment * away);
        Pools {
            free: [cleft * away / k; LANES],
            cleft: [cleft; LANES],
            reprocessed: [cleft * self.recovery / self.reprocessing; LANES],
        }
    }
}

/// The hair cell at one rate, every constant per step.
#[derive(Debug, Clone, Copy)]
pub(super) struct HairCell {
    offset: f64,
    half: f64,
    release: f64,
    refill: f64,
    replenishment: f64,
    clearance: f64,
    recovery: f64,
    reprocessing: f64,
    firing: f64,
    capacity: f64,
}

/// Transmitter q, c and w of a group of channels.
#[derive(Debug, Clone)]
pub(super) struct Pools {
    free: Lanes,
    cleft: Lanes,
    reprocessed: Lanes,
}

impl HairCell {
    /// One step; gives the probability of firing, which may exceed one.
    #[inline(always)]
    pub(super) fn step(&self, pools: &mut Pools, velocity: &Lanes) -> Lanes {
        let mut probability = [0.0; LANES];
        for l in 0..LANES {
            let (q, c, w) = (pools.free[l], pools.cleft[l], pools.reprocessed[l]);
            let open = velocity[l] + self.offset;
            let k = self.release * open / (open + self.half);
            let k = if open > 0.0 { k } else { 0.0 };
            let fill = self.refill - self.replenishment * q;
            let fill = if q < self.capacity { fill } else { 0.0 };
            let released = k * q;
            let back = self.reprocessing * w;
            pools.free[l] = above_zero(q + fill - released + back);
            pools.cleft[l] = above_zero(c + released - self.clearance * c);
            pools.reprocessed[l] = above_zero(w + self.recovery * c - back);
            probability[l] = pools.cleft[l] * self.firing;
        }
        probability
    }
}

#[inline(always)]
fn above_zero(x: f64) -> f64 {
    if x > 0.0 { x } else { 0.0 }
}
