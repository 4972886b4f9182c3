//! Ten words as segments.

/// A piece of a word: what its source and its resonators do from its beginning
/// to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    /// Duration in ms at pace 1.
    pub(super) ms: f64,
    /// First three formants in Hz at the beginning and at the end.
    pub(super) formants: [[f64; 3]; 2],
    /// Loudness of the pulses.
    pub(super) voice: f64,
    /// Loudness of the noise.
    pub(super) noise: f64,
    /// Where the noise lies and how wide it is, in Hz.
    pub(super) band: [f64; 2],
}

const fn glide(ms: f64, from: [f64; 3], to: [f64; 3]) -> Segment {
    Segment {
        ms,
        formants: [from, to],
        voice: 1.0,
        noise: 0.0,
        band: [2000.0, 2000.0],
    }
}

const fn vowel(ms: f64, formants: [f64; 3]) -> Segment {
    glide(ms, formants, formants)
}

const fn weak(ms: f64, formants: [f64; 3], voice: f64) -> Segment {
    Segment {
        voice,
        ..vowel(ms, formants)
    }
}

const fn hiss(ms: f64, noise: f64, band: [f64; 2], voice: f64) -> Segment {
    Segment {
        noise,
        band,
        voice,
        ..vowel(ms, [350.0, 1500.0, 2500.0])
    }
}

const IY: [f64; 3] = [280.0, 2250.0, 2950.0];
const IH: [f64; 3] = [400.0, 1950.0, 2550.0];
const EH: [f64; 3] = [540.0, 1800.0, 2480.0];
const AH: [f64; 3] = [660.0, 1200.0, 2400.0];
const AA: [f64; 3] = [730.0, 1120.0, 2440.0];
const AO: [f64; 3] = [570.0, 840.0, 2400.0];
const OH: [f64; 3] = [490.0, 900.0, 2300.0];
const UW: [f64; 3] = [310.0, 900.0, 2240.0];
const ER: [f64; 3] = [340.0, 1150.0, 1500.0];
const SCHWA: [f64; 3] = [500.0, 1450.0, 2450.0];
const W: [f64; 3] = [310.0, 620.0, 2150.0];
const NASAL: [f64; 3] = [270.0, 1350.0, 2400.0];

const N: Segment = weak(70.0, NASAL, 0.45);
const S: Segment = hiss(110.0, 0.5, [3600.0, 700.0], 0.0);
const Z: Segment = hiss(80.0, 0.3, [3500.0, 800.0], 0.4);
const F: Segment = hiss(100.0, 0.12, [2600.0, 3000.0], 0.0);
const V: Segment = hiss(60.0, 0.07, [2400.0, 2500.0], 0.45);
const TH: Segment = hiss(80.0, 0.1, [3200.0, 2000.0], 0.0);
const GAP: Segment = weak(55.0, SCHWA, 0.0);
const T_BURST: Segment = hiss(22.0, 0.6, [3300.0, 1500.0], 0.0);
const T_BREATH: Segment = hiss(25.0, 0.12, [2200.0, 1800.0], 0.0);
const K_BURST: Segment = hiss(26.0, 0.5, [1900.0, 700.0], 0.0);

/// Zero to nine.
pub(super) const WORDS: [&[Segment]; 10] = [
    &[
        Z,
        glide(90.0, IH, IY),
        vowel(50.0, ER),
        glide(60.0, ER, OH),
        glide(140.0, OH, UW),
    ],
    &[
        weak(60.0, W, 0.7),
        glide(50.0, W, AH),
        vowel(130.0, AH),
        N,
        N,
    ],
    &[T_BURST, T_BREATH, glide(80.0, IY, UW), vowel(160.0, UW)],
    &[
        TH,
        weak(50.0, ER, 0.8),
        glide(70.0, ER, IY),
        vowel(170.0, IY),
    ],
    &[
        F,
        vowel(170.0, AO),
        glide(80.0, AO, ER),
        weak(50.0, ER, 0.7),
    ],
    &[F, vowel(90.0, AA), glide(140.0, AA, IY), V],
    &[S, vowel(90.0, IH), GAP, K_BURST, S, S],
    &[S, vowel(90.0, EH), V, vowel(70.0, SCHWA), N],
    &[
        vowel(60.0, EH),
        glide(130.0, EH, IY),
        GAP,
        T_BURST,
        T_BREATH,
    ],
    &[N, vowel(80.0, AA), glide(150.0, AA, IY), N],
];
