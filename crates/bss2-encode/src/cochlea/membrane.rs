//! The basilar membrane: velocity at a place for a tone.
//!
//! A long wave in a box of fluid of height h over a membrane of mass m whose
//! stiffness falls off exponentially with the place c, in centimetres from the
//! base:
//!
//! - `S(c) = C0 e^(-alpha c) - a`, `R(c) = delta sqrt(C0 m) e^(-alpha c / 2)`
//! - impedance `xi = S - m w^2 - i w R`, wave number `g = w sqrt(rho / (h xi))`
//! - phase `G = 2 g(0) / alpha - (2 i w / (alpha sqrt(h) q))
//!   ln(e^(-alpha c / 2) B(0) / B(c))` with `q = sqrt(a + m w^2)` and
//!   `B = -2 sqrt(xi) + i (2 q^2 + i w R) / q`
//! - pressure `p = sqrt(G / g) H0(G)`
//! - input impedance `Z = sqrt(2 C0 / h) (i J0 + Y0) / (J1 - i Y1)` at
//!   `2 w sqrt(2 / (h C0)) / alpha`
//! - velocity `V = 2 w / xi p(c) / p(0) Z`
//!
//! With this sign of i the response precedes its cause: the envelope at the
//! apex comes some 20 ms before a click. That is a property of the published
//! encoder, whose figures this one reproduces.
//!
//! # Source
//! Sieroka, Dosch, Rupp, J. Acoust. Soc. Am. 120, 297 (2006); numbers: Cramer
//! et al., IEEE Trans. Neural Netw. Learn. Syst. 33, 2744 (2022), and the
//! public encoder of its data set.

use std::f64::consts::PI;

use bss2_event::RangeError;
use serde::{Deserialize, Serialize};

use super::complex::{C64, I, ln, sqrt};
use super::hankel::hankel0;

/// Parameters of the basilar membrane, in centimetres, grams and seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MembraneConfig {
    /// Length of the membrane, cm; the last channel sits at its end.
    pub length: f64,
    /// Stiffness at the base C0, g s^-2 cm^-2.
    pub stiffness: f64,
    /// What is taken off the stiffness everywhere, a, g s^-2 cm^-2.
    pub stiffness_offset: f64,
    /// Fall of the stiffness with the place, alpha, 1/cm.
    pub decay: f64,
    /// Density of the fluid rho, g cm^-3.
    pub density: f64,
    /// Height of the duct h, cm.
    pub height: f64,
    /// Damping delta.
    pub damping: f64,
    /// Mass of the membrane per area m, g cm^-2.
    pub mass: f64,
}

impl Default for MembraneConfig {
    /// The published values.
    fn default() -> Self {
        Self {
            length: 3.5,
            stiffness: 1e9,
            stiffness_offset: 3_500.0,
            decay: 3.0,
            density: 1.0,
            height: 0.1,
            damping: 0.15,
            mass: 0.05,
        }
    }
}

impl MembraneConfig {
    pub(super) fn validate(&self) -> Result<(), RangeError> {
        let check = |field, value, min, max, unit| RangeError::check(field, value, min, max, unit);
        check("membrane.length", self.length, 0.1, 10.0, "cm")?;
        check("membrane.stiffness", self.stiffness, 1e6, 1e12, "")?;
        // Together they keep S(0) well above zero.
        check(
            "membrane.stiffness_offset",
            self.stiffness_offset,
            1.0,
            1e5,
            "",
        )?;
        check("membrane.decay", self.decay, 0.1, 10.0, "1/cm")?;
        check("membrane.density", self.density, 0.1, 10.0, "g/cm^3")?;
        check("membrane.height", self.height, 1e-3, 10.0, "cm")?;
        check("membrane.damping", self.damping, 0.01, 1.0, "")?;
        check("membrane.mass", self.mass, 1e-4, 10.0, "g/cm^2")
    }

    /// Place of a channel, cm.
    pub(super) fn place(&self, channel: usize, channels: usize) -> f64 {
        channel as f64 * (self.length / (channels - 1) as f64)
    }

    /// What all places share at a frequency in Hz.
    pub(super) fn tone(&self, frequency: f64) -> Tone<'_> {
        let omega = 2.0 * PI * frequency;
        let mut tone = Tone {
            membrane: self,
            omega,
            q: (self.stiffness_offset + self.mass * omega * omega).sqrt(),
            base: C64::new(0.0, 0.0),
            wave_at_base: C64::new(0.0, 0.0),
            drive: C64::new(0.0, 0.0),
        };
        let start = tone.local(0.0);
        tone.base = start.branch;
        tone.wave_at_base = start.wave;
        tone.drive = self.input_impedance(omega) * (2.0 * omega) / tone.pressure(&start);
        tone
    }

    fn input_impedance(&self, omega: f64) -> C64 {
        let z = 2.0 * omega * (2.0 / (self.height * self.stiffness)).sqrt() / self.decay;
        let (j0, y0, j1, y1) = (libm::j0(z), libm::y0(z), libm::j1(z), libm::y1(z));
        C64::new(y0, j0) / C64::new(j1, -y1) * (2.0 * self.stiffness / self.height).sqrt()
    }
}

/// One frequency.
pub(super) struct Tone<'a> {
    membrane: &'a MembraneConfig,
    omega: f64,
    q: f64,
    base: C64,
    wave_at_base: C64,
    drive: C64,
}

/// Impedance xi, wave number g and branch e^(alpha c / 2) B of one place.
struct Local {
    impedance: C64,
    wave: C64,
    branch: C64,
}

impl Tone<'_> {
    /// Velocity at a place per unit of the input's spectrum.
    pub(super) fn velocity(&self, place: f64) -> C64 {
        let local = self.local(place);
        self.drive * self.pressure(&local) / local.impedance
    }

    fn local(&self, place: f64) -> Local {
        let m = self.membrane;
        let half = libm::exp(-0.5 * m.decay * place);
        let friction = self.omega * m.damping * (m.stiffness * m.mass).sqrt() * half;
        let impedance = C64::new(m.stiffness * half * half - self.q * self.q, -friction);
        let branch = -2.0 * sqrt(impedance) + C64::new(-friction, 2.0 * self.q * self.q) / self.q;
        Local {
            impedance,
            wave: sqrt(m.density / m.height / impedance) * self.omega,
            branch: branch / half,
        }
    }

    fn pressure(&self, local: &Local) -> C64 {
        let m = self.membrane;
        let way = ln(self.base / local.branch) * (self.omega / (m.height.sqrt() * self.q));
        let phase = (self.wave_at_base - I * way) * (2.0 / m.decay);
        sqrt(phase / local.wave) * hankel0(phase)
    }
}
