//! Pieces of a picture: text as text, colours by class, so that it follows the light
//! or dark scheme of its reader.

use std::fmt::Write;

/// Colours and type of all charts of a page. Hues stay apart for colour-blind
/// readers (after Okabe and Ito).
pub(super) const STYLE: &str = "\
.ch{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:13px}\
.ch text{fill:#24292f}.ch .ti{font-size:14px;font-weight:600}.ch .ax{stroke:#57606a;fill:none}\
.ch .gr{stroke:#d8dee4;fill:none}.ch .gd{fill:#fff}.ch .mk{stroke:#57606a;fill:none;stroke-dasharray:5 4}\
.ch .mp{fill:#24292f}.ch text.mt{fill:#57606a;font-size:12px}\
.ch .c0{stroke:#0072b2;fill:#0072b2}.ch .c1{stroke:#d55e00;fill:#d55e00}.ch .c2{stroke:#008264;fill:#008264}\
.ch .c3{stroke:#aa508c;fill:#aa508c}.ch .c4{stroke:#8a6d00;fill:#8a6d00}.ch .c5{stroke:#5a5a5a;fill:#5a5a5a}\
.ch polyline:not(.ar){fill:none}.ch polyline{stroke-linejoin:round;stroke-width:2.2}.ch .th{stroke-width:1;stroke-opacity:.4}\
.ch circle{stroke:none}.ch circle.th{fill-opacity:.4}.ch .ref{stroke-dasharray:2 4;stroke-opacity:.7}.ch .da{stroke-dasharray:5 4;stroke-width:1.4}\
.ch polyline.ar{fill-opacity:.22;stroke-width:1.3}.ch polyline.mk{stroke-width:1.2}\
.ch .in{fill:#57606a}.ch polyline.dm{stroke:#9aa4ae;stroke-width:1.2}.ch .ik{fill:#24292f}.ch .fr{fill:none;stroke:#d8dee4}\
@media(prefers-color-scheme:dark){.ch text{fill:#e6edf3}.ch .ax{stroke:#8b949e}.ch .gr{stroke:#30363d}\
.ch .gd{fill:#161b22}.ch .in{fill:#9da7b1}.ch polyline.dm{stroke:#6b7480}.ch .ik{fill:#e6edf3}\
.ch .fr{stroke:#30363d}.ch .mk{stroke:#9da7b1}.ch .mp{fill:#e6edf3}.ch text.mt{fill:#9da7b1}\
.ch .c0{stroke:#56b4e9;fill:#56b4e9}.ch .c1{stroke:#f08a3c;fill:#f08a3c}.ch .c2{stroke:#3ccf9f;fill:#3ccf9f}\
.ch .c3{stroke:#e08cc4;fill:#e08cc4}.ch .c4{stroke:#e0c341;fill:#e0c341}.ch .c5{stroke:#b0b0b0;fill:#b0b0b0}}";

/// Hues before they repeat.
pub(super) const COLOURS: usize = 6;
/// Width of all pictures: that of a phone in hand, and half a page on a desk.
pub(super) const WIDTH: f64 = 420.0;
/// Free at the right, and at the left of titles.
pub(super) const RIGHT: f64 = 14.0;
/// Width of a letter, about, of the wider fonts that a reader may have.
pub(super) const LETTER: f64 = 7.4;
/// Height of a line of a legend.
pub(super) const ENTRY: f64 = 19.0;
/// Between the sample of a legend's entry and its name, with the sample.
const SAMPLE: f64 = 31.0;

/// What stands in a legend for its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Line,
    Dot,
    Diamond,
}

/// A row of a legend: its sign, the class of that, its name.
pub(super) type Entry = (Sign, String, String);

/// A picture without its frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Svg {
    pub(super) title: String,
    pub(super) height: f64,
    pub(super) body: String,
}

impl Svg {
    /// A picture with its title at the top.
    pub(super) fn titled(title: &str) -> Self {
        let mut svg = Self {
            title: escape(title),
            ..Self::default()
        };
        svg.text((RIGHT, 20.0), "ti", "start", title);
        svg
    }

    /// The whole, alone with ground and style of its own, or as part of a page that has
    /// [`STYLE`].
    pub(super) fn whole(&self, alone: bool) -> String {
        let (height, title) = (self.height, &self.title);
        let mut svg = format!(
            "<svg class=\"ch\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-label=\"{title}\">"
        );
        if alone {
            svg += &format!("<style>{STYLE}</style>");
            svg += &format!("<rect class=\"gd\" width=\"{WIDTH}\" height=\"{height}\"/>");
        }
        svg + &self.body + "</svg>"
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.body += &format!(
            "<path class=\"{class}\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn text(&mut self, at: (f64, f64), class: &str, anchor: &str, words: &str) {
        self.body += &format!(
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            at.0,
            at.1,
            escape(words)
        );
    }

    /// Text that runs upwards beside an axis.
    pub(super) fn upright(&mut self, at: (f64, f64), words: &str) {
        self.body += &format!(
            "<text transform=\"translate({:.1} {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            at.0,
            at.1,
            escape(words)
        );
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut text = String::new();
        for (x, y) in points {
            write!(text, "{x:.1},{y:.1} ").expect("text grows");
        }
        self.body += &format!("<polyline class=\"{class}\" points=\"{}\"/>", text.trim());
    }

    pub(super) fn circle(&mut self, class: &str, at: (f64, f64), radius: f64) {
        self.body += &format!(
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"/>",
            at.0, at.1
        );
    }

    pub(super) fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        self.body += &format!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            at.0, at.1, size.0, size.1
        );
    }

    /// A rectangle that is filled so densely, 0 to 1.
    pub(super) fn shade(&mut self, class: &str, at: (f64, f64), size: (f64, f64), density: f64) {
        self.body += &format!(
            "<rect class=\"{class}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" \
             stroke-opacity=\"0\" fill-opacity=\"{density:.2}\"/>",
            at.0, at.1, size.0, size.1
        );
    }

    /// A diamond about a place.
    pub(super) fn diamond(&mut self, class: &str, at: (f64, f64)) {
        self.body += &format!(
            "<path class=\"{class}\" d=\"M{:.1} {:.1}l5 5l-5 5l-5 -5z\"/>",
            at.0,
            at.1 - 5.0
        );
    }

    /// Text about a place, moved to where it leaves neither the picture nor what
    /// begins at `left`.
    pub(super) fn text_about(&mut self, at: (f64, f64), left: f64, class: &str, words: &str) {
        let half = width(words) / 2.0;
        let place = at.0.min(WIDTH - RIGHT - half).max(left + half);
        self.text((place, at.1), class, "middle", words);
    }

    /// A legend from `top` on, as many entries side by side as there is room for.
    /// It ends the picture.
    pub(super) fn legend(&mut self, left: f64, top: f64, entries: &[Entry]) {
        let (mut x, mut y) = (left, top + 0.5 * ENTRY);
        for (sign, class, name) in entries {
            let long = SAMPLE + width(name);
            if x > left && x + long > WIDTH - RIGHT {
                (x, y) = (left, y + ENTRY);
            }
            match sign {
                Sign::Line => self.polyline(class, &[(x, y), (x + 24.0, y)]),
                Sign::Dot => self.circle(class, (x + 12.0, y), 4.2),
                Sign::Diamond => self.diamond(class, (x + 12.0, y)),
            }
            self.text((x + SAMPLE, y + 4.5), "", "start", name);
            x += long + 16.0;
        }
        self.height = y + 0.5 * ENTRY + 6.0;
    }
}

/// Width of a line of text, about.
pub(super) fn width(words: &str) -> f64 {
    LETTER * words.chars().count() as f64
}

/// Words in lines that are no wider than `room`, if no word is.
pub(super) fn lines(words: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + width(word) + LETTER <= room => {
                *line += " ";
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
