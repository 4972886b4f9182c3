//! Against the reference arrays: every pixel, every spike time, every bin, and
//! the cochlea stage by stage.

#[path = "golden/cochlea.rs"]
mod cochlea;
mod support;

use std::fs::File;
use std::io::BufReader;

use bss2_encode::{
    DataSet, Encoder, EncoderConfig, ImageSet, LatencyConfig, ReductionConfig, ReferenceTime,
    Verify, load_mnist,
};
use bss2_event::{Seconds, Seed, SpikeBatch, TimeGrid};
use npyz::npz::NpzArchive;
use support::{folder, mnist, skip};

/// The arrays of one npz file.
struct Arrays(NpzArchive<BufReader<File>>);

impl Arrays {
    /// Those of a file, or nothing where it is not there.
    fn open(name: &str) -> Option<Self> {
        let path = folder("BSS2_GOLDEN", "golden")?.join(format!("{name}.npz"));
        if !path.exists() {
            skip(&format!("{} is not there", path.display()));
            return None;
        }
        Some(Self(NpzArchive::open(path).expect("a readable npz file")))
    }

    fn get<T: npyz::Deserialize>(&mut self, name: &str) -> Vec<T> {
        let array = self.0.by_name(name).expect("a readable array");
        array
            .expect(name)
            .into_vec()
            .expect("an array of this type")
    }
}

#[test]
fn reduced_images_are_equal_in_every_pixel() {
    let (Some(mut arrays), Some(mnist)) = (Arrays::open("encoder_mnist"), mnist()) else {
        return;
    };
    let split = load_mnist(&mnist, DataSet::Mnist, Verify::Manifest).unwrap();
    for (prefix, set) in [("train", &split.train), ("test", &split.test)] {
        let index = arrays.get::<i64>(&format!("{prefix}_index"));
        let index: Vec<u32> = index.into_iter().map(|i| i as u32).collect();
        let images = set.select(&index).unwrap();
        assert_eq!(
            images.labels(),
            arrays.get::<u8>(&format!("{prefix}_labels"))
        );
        for (reduction, name) in [
            (ReductionConfig::mnist(), "16x16"),
            (ReductionConfig::uncropped(), "zoom_28_to_16"),
        ] {
            let reduced = reduction.reduce(&images).unwrap();
            let wanted = arrays.get::<u8>(&format!("{prefix}_{name}"));
            assert!(reduced.pixels() == wanted, "{prefix}_{name}");
        }
    }
}

#[test]
fn spike_times_and_bins_are_equal() {
    let Some(mut arrays) = Arrays::open("encoder_mnist") else {
        return;
    };
    let mut scalar = |name: &str| arrays.get::<f64>(name)[0];
    let latency = LatencyConfig {
        tau_in: Seconds::new(scalar("tau_input")),
        theta: scalar("theta"),
        t_max: Seconds::new(scalar("t_max")),
        reference: ReferenceTime::Batch,
    };
    let dt = Seconds::new(scalar("dt"));
    assert_eq!(latency, LatencyConfig::default());
    let code = latency.compile().unwrap();
    let config = EncoderConfig {
        latency,
        ..Default::default()
    };
    for prefix in ["train", "test"] {
        let pixels = arrays.get::<u8>(&format!("{prefix}_16x16"));
        let labels = arrays.get::<u8>(&format!("{prefix}_labels"));
        let onset = arrays.get::<f64>(&format!("{prefix}_times"));
        let shifted = arrays.get::<f64>(&format!("{prefix}_times_shifted"));
        let bins = arrays.get::<u8>(&format!("{prefix}_spikes"));
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();

        for (&pixel, &wanted) in pixels.iter().zip(&onset) {
            assert!(close(code.time(pixel).get(), wanted), "{pixel}: {wanted}");
        }
        let images = ImageSet::new(prefix, 16, pixels, labels, 10).unwrap();
        let indices: Vec<u32> = (0..images.len() as u32).collect();
        let mut batch = SpikeBatch::new(256);
        let mut encoder = Encoder::new(&config, Seed(0)).unwrap();
        encoder.encode(&images, &indices, 0, &mut batch).unwrap();

        let grid = TimeGrid { steps: 20, dt };
        for (sample, spikes) in batch.samples().enumerate() {
            let mut binned = vec![0; grid.steps * 256];
            for (time, channel) in spikes.iter() {
                let wanted = shifted[sample * 256 + usize::from(channel)];
                assert!(close(time, wanted), "{sample} {channel}: {time} {wanted}");
                if let Some(bin) = grid.bin(time) {
                    binned[bin * 256 + usize::from(channel)] = 1;
                }
            }
            assert!(binned == bins[sample * 5120..][..5120], "{prefix} {sample}");
        }
        // Whoever does not spike is silent in the reference as well.
        let spiking = onset.iter().filter(|&&t| t < latency.t_max.get()).count();
        assert_eq!(batch.spike_count(), spiking);
    }
}
