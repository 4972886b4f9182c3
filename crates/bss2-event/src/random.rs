//! Random draws as pure functions.
//!
//! No generator is passed around or advanced: a draw is Philox 4x32 of a
//! key, which is the seed of a chip or of a run, and a counter that names the
//! draw. Threads, the split into batches and a resumed run therefore cannot
//! change a value. Single draws take the usual ten rounds, hot loops seven: the
//! fewest that pass all tests of BigCrush, by the source's Table 2.
//!
//! Counter words: `[step, element, sample, domain << 24 | presentation]`.
//!
//! # Source
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use rand_philox::{Philox, philox4x32_10, splitmix64};
use serde::{Deserialize, Serialize};

/// The seed of a chip or of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Seed(pub u64);

/// What a draw is for. No two uses share a domain, so no two uses share bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Domain {
    /// Fixed-pattern mismatch of neuron circuits.
    MismatchNeuron = 1,
    /// Fixed-pattern gain of synapses.
    MismatchSynapse = 2,
    /// Fixed-pattern gain of synapse drivers.
    MismatchDriver = 3,
    /// Fixed-pattern gain and offset of CADC channels.
    MismatchCadc = 4,
    /// Fixed-pattern factors of quadrants.
    MismatchQuadrant = 5,
    /// Fixed-pattern gain and bend of the curves of parameter cells.
    MismatchCurve = 6,
    /// Circuits and synapses that do not work.
    MismatchDead = 7,
    /// Targets of a decalibration.
    Decalibration = 8,
    /// Temporal noise of membranes.
    MembraneNoise = 16,
    /// Noise of a CADC read.
    CadcNoise = 17,
    /// Variation of parameters from trial to trial.
    TrialVariation = 18,
    /// Start of the CADC against the first input.
    CadcTiming = 19,
    /// State of the circuits before a sample.
    InitialState = 20,
    /// Where a write to a parameter cell ends.
    CapMemWrite = 21,
    /// Time of a spike's event about its crossing.
    SpikeJitter = 22,
    /// Slow drift of potentials.
    Drift = 23,
    /// Noise of a read of the MADC.
    MadcNoise = 24,
    /// Background sources of the event fabric.
    Background = 32,
    /// Random input of neurons whose spike times are measured.
    Stimulus = 33,
    /// Initial weights.
    WeightInit = 48,
    /// Dropout masks.
    Dropout = 49,
    /// Order of samples in an epoch.
    Shuffle = 50,
    /// Ties between equal readouts.
    TieBreak = 51,
    /// Neurons that are silenced in a test.
    Silence = 52,
    /// Another order of recurrent weights.
    Rewiring = 53,
    /// Augmentation of input data.
    Augmentation = 64,
    /// Generated data sets.
    GeneratedData = 65,
    /// Fibres of the auditory nerve.
    AuditoryNerve = 66,
    /// Augmentation of spikes.
    SpikeAugmentation = 67,
    /// Generated speech.
    GeneratedSpeech = 68,
    /// Augmentation of a sample's spikes together.
    RecordingAugmentation = 69,
    /// Reserved for tests.
    Test = 255,
}

/// Where a draw sits: everything of a Philox counter but the step.
///
/// ```
/// use bss2_event::random::{Address, Domain, Seed};
///
/// let here = Address::new(Seed(1), Domain::Test).sample(42).element(7);
/// assert_eq!(here.words(0), here.words(0)); // a pure function
/// assert_ne!(here.words(0), here.words(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    key: [u32; 2],
    /// The key's second word for samples below 2^32.
    high_key: u32,
    element: u32,
    sample: u32,
    domain: u32,
}

impl Address {
    /// The first address of a domain: presentation, sample and element zero.
    #[must_use]
    pub fn new(seed: Seed, domain: Domain) -> Self {
        // Mixed, so that seeds 0, 1, 2 give unrelated keys.
        let key = splitmix64(seed.0.wrapping_add(0x9e37_79b9_7f4a_7c15));
        Self {
            key: [key as u32, (key >> 32) as u32],
            high_key: (key >> 32) as u32,
            element: 0,
            sample: 0,
            domain: u32::from(domain as u8) << 24,
        }
    }

    /// The same address for another presentation (epoch).
    ///
    /// # Panics
    /// From 2^24 on.
    #[must_use]
    pub fn presentation(self, presentation: u32) -> Self {
        assert!(
            presentation < 1 << 24,
            "presentations are addressed by 24 bits"
        );
        Self {
            domain: self.domain & 0xff00_0000 | presentation,
            ..self
        }
    }

    /// The same address for another sample: its identity in the data set. Bits
    /// above 32 enter the key.
    #[must_use]
    pub fn sample(self, id: u64) -> Self {
        let high = (id >> 32) as u32;
        Self {
            sample: id as u32,
            key: [self.key[0], self.high_key ^ high],
            ..self
        }
    }

    /// The same address for another element: neuron, channel, weight.
    #[must_use]
    pub fn element(self, element: u32) -> Self {
        Self { element, ..self }
    }

    /// Four random words of a step.
    #[must_use]
    pub fn words(self, step: u32) -> [u32; 4] {
        philox4x32_10([step, self.element, self.sample, self.domain], self.key)
    }

    /// A uniform number in the open interval (0, 1).
    #[must_use]
    pub fn uniform(self, step: u32) -> f64 {
        rand_philox::u32_to_unit_f64(self.words(step)[0])
    }

    /// A standard normal number.
    #[must_use]
    pub fn normal(self, step: u32) -> f64 {
        let [a, b, ..] = self.words(step);
        let radius = libm::sqrt(-2.0 * libm::log(rand_philox::u32_to_unit_f64(a)));
        radius * libm::cos(std::f64::consts::TAU * rand_philox::u32_to_unit_f64(b))
    }

    /// A sequential generator that starts here, for draws at construction time
    /// (with `rand_distr`) or of unknown number. Its words are those of steps
    /// 0, 1, 2, ... of this address.
    #[must_use]
    pub fn stream(self) -> Philox {
        let high = u128::from(self.domain) << 96
            | u128::from(self.sample) << 64
            | u128::from(self.element) << 32;
        Philox::new(self.key, high)
    }

    /// Random words of [`LANES`] consecutive elements at one step, in hot loops:
    /// lane `l` of word `w` belongs to element `e + l`, where `e` is this address's
    /// element. Of seven rounds, so these are other words than those of
    /// [`Address::words`].
    #[inline(always)]
    #[must_use]
    pub fn lanes(self, step: u32) -> [[u32; LANES]; 4] {
        let mut elements = [self.element; LANES];
        for (lane, element) in elements.iter_mut().enumerate() {
            *element = element.wrapping_add(lane as u32);
        }
        philox_lanes::<7>(
            [
                [step; LANES],
                elements,
                [self.sample; LANES],
                [self.domain; LANES],
            ],
            self.key,
        )
    }
}

/// Counters that [`Address::lanes`] evaluates together.
pub const LANES: usize = 16;

/// Philox 4x32 of [`LANES`] counters, written so that a compiler turns every
/// line into vector instructions. `rand_philox` keeps its own version private.
#[inline(always)]
fn philox_lanes<const ROUNDS: usize>(
    counters: [[u32; LANES]; 4],
    mut key: [u32; 2],
) -> [[u32; LANES]; 4] {
    // Words of 64 bits of which the upper halves mean nothing: products need no shuffles.
    let mut c = [[0; LANES]; 4];
    for (c, counter) in c.iter_mut().zip(&counters) {
        for l in 0..LANES {
            c[l] = u64::from(counter[l]);
        }
    }
    for _ in 0..ROUNDS {
        let mut next = [[0; LANES]; 4];
        for l in 0..LANES {
            let p0 = (c[0][l] & LOWER) * 0xD251_1F53;
            let p1 = (c[2][l] & LOWER) * 0xCD9E_8D57;
            next[0][l] = (p1 >> 32) ^ c[1][l] ^ u64::from(key[0]);
            next[1][l] = p1;
            next[2][l] = (p0 >> 32) ^ c[3][l] ^ u64::from(key[1]);
            next[3][l] = p0;
        }
        c = next;
        key = [
            key[0].wrapping_add(0x9E37_79B9),
            key[1].wrapping_add(0xBB67_AE85),
        ];
    }
    let mut words = [[0; LANES]; 4];
    for (words, c) in words.iter_mut().zip(&c) {
        for l in 0..LANES {
            words[l] = c[l] as u32;
        }
    }
    words
}

/// The half of a word that counts.
const LOWER: u64 = 0xffff_ffff;

/// Two standard normal numbers from two random words, at fixed cost and without
/// any call to a system's mathematics, so that every path and machine gives the
/// same bits.
///
/// Box-Muller with polynomials: the logarithm is good to 2e-7 relative, sine
/// and cosine to 3e-6 absolute; the largest magnitude is 5.6.
#[inline(always)]
#[must_use]
pub fn normal_pair(a: u32, b: u32) -> (f32, f32) {
    let radius = (-2.0 * ln_unit(a)).sqrt();
    let (sin, cos) = sin_cos_turn(b);
    (radius * cos, radius * sin)
}

/// Natural logarithm of `(a >> 9 + 0.5) / 2^23`.
#[inline(always)]
fn ln_unit(a: u32) -> f32 {
    let x = ((a >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0);
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)), then the series of atanh.
    let bits = x.to_bits();
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series = 2.0 + z * (0.666_666_7 + z * (0.4 + z * (0.285_714_3 + z * 0.222_222_2)));
    s * series + exponent as f32 * std::f32::consts::LN_2
}

/// Sine and cosine of `b / 2^32` turns.
#[inline(always)]
fn sin_cos_turn(b: u32) -> (f32, f32) {
    // The angle within an eighth turn either side of a multiple of a quarter.
    let quarter = b.wrapping_add(0x2000_0000) >> 30;
    let rest = b.wrapping_sub(quarter << 30) as i32;
    let x = rest as f32 * (std::f32::consts::TAU / 4_294_967_296.0);
    let z = x * x;
    let sin = x * (1.0 + z * (-1.666_666_6e-1 + z * (8.333_16e-3 - z * 1.951_53e-4)));
    let cos = 1.0 + z * (-0.5 + z * (4.166_664_6e-2 + z * (-1.388_731_6e-3 + z * 2.443_32e-5)));
    let (s, c) = if quarter & 1 == 0 {
        (sin, cos)
    } else {
        (cos, sin)
    };
    let s = if quarter & 2 == 0 { s } else { -s };
    let c = if quarter.wrapping_add(1) & 2 == 0 {
        c
    } else {
        -c
    };
    (s, c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sample_takes_the_place_of_the_one_before() {
        let address = Address::new(Seed(1), Domain::Test);
        let far = address.sample(3 << 32 | 7);
        assert_ne!(far.words(0), address.sample(7).words(0));
        assert_eq!(far.sample(7), address.sample(7));
        assert_eq!(address.sample(7).sample(3 << 32 | 7), far);
    }

    /// Known answers of Random123 1.14 for philox4x32_10.
    #[test]
    fn philox_gives_the_published_answers() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let cases = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                pi,
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in cases {
            assert_eq!(philox4x32_10(counter, key), answer);
            let lanes = philox_lanes::<10>(counter.map(|word| [word; LANES]), key);
            assert_eq!(lanes.map(|word| word[LANES - 1]), answer);
        }
    }

    /// Known answers of Random123 1.14 for philox4x32 with seven rounds.
    #[test]
    fn seven_rounds_give_the_published_answers() {
        for (word, answer) in [
            (0, [0x5f6f_b709, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48]),
            (
                u32::MAX,
                [0x5207_ddc2, 0x4516_5e59, 0x4d8e_e751, 0x8c52_f662],
            ),
        ] {
            let lanes = philox_lanes::<7>([[word; LANES]; 4], [word; 2]);
            assert_eq!(lanes.map(|word| word[0]), answer);
        }
    }

    #[test]
    fn lanes_are_single_draws() {
        let base = Address::new(Seed(9), Domain::Test)
            .presentation(3)
            .sample(1 << 33 | 5);
        // A word depends on its element alone, not on the lane that it is drawn in.
        let lanes = base.element(32).lanes(11);
        for l in 0..LANES {
            let first = base.element(32 + l as u32).lanes(11);
            assert_eq!(lanes.map(|word| word[l]), first.map(|word| word[0]));
        }
        assert_ne!(lanes, base.element(32).lanes(12));
        let mut stream = base.element(4).stream();
        assert_eq!(stream.next_u32(), base.element(4).words(0)[0]);
    }

    #[test]
    fn polynomials_keep_their_bounds() {
        for i in 0..200_000_u32 {
            let word = i.wrapping_mul(0x9E37_79B9);
            let x = (f64::from(word >> 9) + 0.5) / 8_388_608.0;
            let ln = f64::from(ln_unit(word));
            assert!(
                (ln - x.ln()).abs() <= 4e-7 * x.ln().abs() + 1e-9,
                "{x}: {ln}"
            );
            let angle = f64::from(word) / 4_294_967_296.0 * std::f64::consts::TAU;
            let (s, c) = sin_cos_turn(word);
            assert!((f64::from(s) - angle.sin()).abs() < 3e-6, "{angle}");
            assert!((f64::from(c) - angle.cos()).abs() < 3e-6, "{angle}");
        }
    }

    #[test]
    fn normal_numbers_have_normal_moments_and_tails() {
        let n = 1_000_000_u32;
        let (mut m1, mut m2, mut m4, mut beyond3) = (0.0, 0.0, 0.0, 0);
        let address = Address::new(Seed(0), Domain::Test);
        for step in 0..n / 4 {
            let [a, b, c, d] = address.words(step);
            for (x, y) in [normal_pair(a, b), normal_pair(c, d)] {
                for v in [f64::from(x), f64::from(y)] {
                    m1 += v;
                    m2 += v * v;
                    m4 += v.powi(4);
                    beyond3 += usize::from(v.abs() > 3.0);
                }
            }
        }
        let n = f64::from(n);
        // Five standard errors each.
        assert!((m1 / n).abs() < 5.0 / n.sqrt());
        assert!((m2 / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((m4 / n - 3.0).abs() < 5.0 * (96.0 / n).sqrt());
        assert!((beyond3 as f64 - 0.002_699_8 * n).abs() < 5.0 * (0.0027 * n).sqrt());
    }
}
