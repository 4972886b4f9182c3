//! Drawing one digit: strokes, bent and placed, under a round pen.

use bss2_event::Seed;
use bss2_event::random::{Address, Domain};

use super::SIDE;
use super::strokes::{DIGITS, Stroke};

/// Straight pieces per full turn of an arc, and per unit length of a line, so
/// that both bend smoothly.
const PIECES_PER_TURN: f32 = 24.0;
const PIECES_PER_UNIT: f32 = 6.0;

/// The draws of one image, by name.
struct Draws(Address);

impl Draws {
    fn uniform(&self, what: What, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.uniform(what as u32) as f32
    }
    fn normal(&self, what: What, sd: f32) -> f32 {
        sd * self.0.normal(what as u32) as f32
    }
}

#[derive(Clone, Copy)]
enum What {
    Variant,
    Width,
    Height,
    Slant,
    Rotation,
    ShiftX,
    ShiftY,
    PenRadius,
    Softness,
    Ink,
    BendX,
    BendXPhase,
    BendY,
    BendYPhase,
}

/// The map from the frame of the strokes to pixels.
struct Pose {
    matrix: [[f32; 2]; 2],
    centre: [f32; 2],
    bend: [[f32; 2]; 2],
}

impl Pose {
    fn draw(draws: &Draws) -> Self {
        let width = draws.uniform(What::Width, 8.5, 17.0);
        let height = draws.uniform(What::Height, 14.0, 20.0);
        let slant = draws.normal(What::Slant, 0.22).clamp(-0.5, 0.5);
        let rotation = f64::from(draws.normal(What::Rotation, 0.16).clamp(-0.35, 0.35));
        let (sin, cos) = (libm::sin(rotation) as f32, libm::cos(rotation) as f32);
        // Size, then slant, then rotation.
        let (a, b, d) = (width, -slant * height, height);
        let middle = (SIDE as f32 - 1.0) / 2.0;
        Self {
            matrix: [[cos * a, cos * b - sin * d], [sin * a, sin * b + cos * d]],
            centre: [
                middle + draws.uniform(What::ShiftX, -2.0, 2.0),
                middle + draws.uniform(What::ShiftY, -1.6, 1.6),
            ],
            bend: [
                [
                    draws.normal(What::BendX, 0.07).clamp(-0.16, 0.16),
                    draws.uniform(What::BendXPhase, 0.0, std::f32::consts::TAU),
                ],
                [
                    draws.normal(What::BendY, 0.055).clamp(-0.13, 0.13),
                    draws.uniform(What::BendYPhase, 0.0, std::f32::consts::TAU),
                ],
            ],
        }
    }

    /// Bends a point by a wave across each direction, then places it.
    fn place(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let wave = |[size, phase]: [f32; 2], along: f32| {
            size * libm::sin(f64::from(4.5 * along + phase)) as f32
        };
        let x = x + wave(self.bend[0], y) - 0.5;
        let y = y + wave(self.bend[1], x) - 0.5;
        [0, 1].map(|i| self.matrix[i][0] * x + self.matrix[i][1] * y + self.centre[i])
    }
}

/// A round pen that leaves a soft edge.
struct Pen {
    radius: f32,
    softness: f32,
    ink: f32,
}

impl Pen {
    /// Draws a straight piece; where pieces overlap the darker ink stays.
    fn draw(&self, from: [f32; 2], to: [f32; 2], canvas: &mut [f32]) {
        let reach = self.radius + self.softness;
        let bounds = |i: usize| {
            let low = (from[i].min(to[i]) - reach).ceil().max(0.0);
            let high = (from[i].max(to[i]) + reach).floor().min(SIDE as f32 - 1.0);
            low as i32..=high as i32
        };
        let along = [to[0] - from[0], to[1] - from[1]];
        let length2 = (along[0] * along[0] + along[1] * along[1]).max(1e-12);
        for row in bounds(1) {
            for column in bounds(0) {
                let at = [column as f32 - from[0], row as f32 - from[1]];
                let part = ((at[0] * along[0] + at[1] * along[1]) / length2).clamp(0.0, 1.0);
                let off = [at[0] - part * along[0], at[1] - part * along[1]];
                let distance = (off[0] * off[0] + off[1] * off[1]).sqrt();
                let cover = (reach - distance) / (2.0 * self.softness);
                let value = &mut canvas[row as usize * SIDE + column as usize];
                *value = value.max(self.ink * cover.clamp(0.0, 1.0));
            }
        }
    }
}

/// Draws one digit into an image `[row, column]`.
pub(super) fn digit(class: u8, seed: Seed, split: u32, index: u64, image: &mut [u8]) {
    let address = Address::new(seed, Domain::GeneratedData)
        .element(split)
        .sample(index);
    let draws = Draws(address);
    let variants = DIGITS[usize::from(class)];
    let variant = draws.uniform(What::Variant, 0.0, variants.len() as f32) as usize;
    let pose = Pose::draw(&draws);
    let pen = Pen {
        radius: draws.uniform(What::PenRadius, 0.7, 1.6),
        softness: draws.uniform(What::Softness, 0.5, 0.9),
        ink: draws.uniform(What::Ink, 215.0, 300.0),
    };
    let mut canvas = [0.0; SIDE * SIDE];
    for stroke in variants[variant.min(variants.len() - 1)] {
        trace(stroke, |from, to| {
            pen.draw(pose.place(from), pose.place(to), &mut canvas);
        });
    }
    for (pixel, value) in image.iter_mut().zip(canvas) {
        // The conversion saturates: a strong pen is simply white.
        *pixel = (value + 0.5) as u8;
    }
}

/// Hands the straight pieces of a stroke to `piece`.
fn trace(stroke: &Stroke, mut piece: impl FnMut([f32; 2], [f32; 2])) {
    match *stroke {
        Stroke::Lines(points) => {
            for ends in points.windows(2) {
                let [from, to] = [ends[0], ends[1]];
                let along = [to[0] - from[0], to[1] - from[1]];
                let length = (along[0] * along[0] + along[1] * along[1]).sqrt();
                let at = |part: f32| [from[0] + part * along[0], from[1] + part * along[1]];
                split(length * PIECES_PER_UNIT, at, &mut piece);
            }
        }
        Stroke::Arc {
            centre,
            radii,
            from,
            to,
        } => {
            let at = |part: f32| {
                let angle = f64::from(from + part * (to - from)).to_radians();
                [
                    centre[0] + radii[0] * libm::cos(angle) as f32,
                    centre[1] + radii[1] * libm::sin(angle) as f32,
                ]
            };
            split((to - from).abs() / 360.0 * PIECES_PER_TURN, at, &mut piece);
        }
    }
}

fn split(pieces: f32, at: impl Fn(f32) -> [f32; 2], piece: &mut impl FnMut([f32; 2], [f32; 2])) {
    let pieces = pieces.ceil().max(1.0) as u32;
    let mut from = at(0.0);
    for i in 1..=pieces {
        let to = at(i as f32 / pieces as f32);
        piece(from, to);
        from = to;
    }
}
