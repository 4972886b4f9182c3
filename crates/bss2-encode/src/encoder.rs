//! From images to a batch of spikes.

use bss2_event::{RangeError, Seed, SpikeBatch};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::augment::{AugmentationConfig, AugmentationOrder, FramedImage};
use crate::dataset::ImageSet;
use crate::error::EncodeError;
use crate::image::{Reducer, ReductionConfig};
use crate::latency::{LatencyCode, LatencyConfig, LatencyScratch, Origin};
use crate::zoom::ZoomScratch;

/// Samples per task. Small, as a batch has about a hundred; fixed, though no
/// result depends on it.
const CHUNK: usize = 16;

/// Everything between an image and its spikes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderConfig {
    /// From full images to inputs.
    pub reduction: ReductionConfig,
    /// From the brightness of an input to the time of its spike.
    pub latency: LatencyConfig,
    /// Random changes of the image.
    pub augmentation: AugmentationConfig,
}

/// Encodes batches of images, in parallel over samples.
///
/// The result is a pure function of configuration, seed, images, indices and
/// epoch. With [`crate::ReferenceTime::Batch`] all indices of a call matter to
/// each sample; otherwise a sample's spikes depend on itself alone.
///
/// Memory is kept from call to call; nothing is allocated once it has grown.
#[derive(Debug)]
pub struct Encoder {
    code: LatencyCode,
    reduction: ReductionConfig,
    augmentation: AugmentationConfig,
    seed: Seed,
    reducer: Option<Reducer>,
    tasks: Vec<Task>,
}

/// What one task works in.
#[derive(Debug)]
struct Task {
    /// Inputs of its samples, `[sample, input]`; unused where the images
    /// themselves are the inputs.
    inputs: Vec<u8>,
    brightest: u8,
    /// An image that was reduced but not augmented yet.
    reduced: Vec<u8>,
    framed: FramedImage,
    zoom: ZoomScratch,
    latency: LatencyScratch,
    spikes: SpikeBatch,
}

impl Encoder {
    /// An encoder; `seed` is the run's and enters augmentation only.
    ///
    /// # Errors
    /// [`EncodeError::Range`] for settings outside their range.
    pub fn new(config: &EncoderConfig, seed: Seed) -> Result<Self, EncodeError> {
        config.augmentation.validate()?;
        config.reduction.check()?;
        Ok(Self {
            code: config.latency.compile()?,
            reduction: config.reduction,
            augmentation: config.augmentation,
            seed,
            reducer: None,
            tasks: Vec::new(),
        })
    }

    /// Number of input channels: one per pixel of the reduced image.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.reduction.side * self.reduction.side
    }

    /// Whether images of this size can be encoded, before there is a batch.
    ///
    /// # Errors
    /// [`EncodeError::ImageSize`], as [`Encoder::encode`].
    pub fn check(&mut self, images: &ImageSet) -> Result<(), EncodeError> {
        self.prepare(images, 0)
    }

    /// Fills `batch` with the spikes of some images, in the order of `indices`.
    ///
    /// A sample's identity is its index in the set, the batch's presentation
    /// is the epoch. Images of the size of the inputs that were reduced before
    /// are taken as they are; others are reduced on the way, which costs about a
    /// microsecond each and is better done once for a whole set
    /// ([`ReductionConfig::reduce`]) unless they are augmented. Either way gives
    /// the same spikes.
    ///
    /// # Errors
    /// [`EncodeError::Index`]; [`EncodeError::ImageSize`] for images that
    /// cannot be reduced or, already being reduced, not be augmented before that;
    /// [`EncodeError::Range`] for an epoch of 2^24 or more, or a batch of
    /// another number of channels. The batch then is as before.
    pub fn encode(
        &mut self,
        images: &ImageSet,
        indices: &[u32],
        epoch: u32,
        batch: &mut SpikeBatch,
    ) -> Result<(), EncodeError> {
        let channels = self.channels();
        let wanted = channels as f64;
        RangeError::check(
            "channels of the batch",
            batch.channels() as f64,
            wanted,
            wanted,
            "",
        )?;
        self.gather(images, indices, epoch)?;

        let tasks = &mut self.tasks[..indices.len().div_ceil(CHUNK)];
        let (code, reducer) = (&self.code, self.reducer.as_ref());
        let brightest = tasks.iter().map(|task| task.brightest).max().unwrap_or(0);
        let origin = code.origin(brightest);
        tasks
            .par_iter_mut()
            .zip(indices.par_chunks(CHUNK))
            .try_for_each(|(task, indices)| {
                let images = reducer.is_none().then_some(images);
                task.spike(images, indices, code, origin)
            })?;

        batch.clear();
        batch.set_presentation(epoch);
        for task in tasks {
            batch.append(&task.spikes);
        }
        Ok(())
    }

    /// Fills `inputs`, `[sample, input]`, with the brightness of each input, 0 to
    /// 255: what [`Encoder::encode`] makes spikes of, for networks without spikes.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn inputs(
        &mut self,
        images: &ImageSet,
        indices: &[u32],
        epoch: u32,
        inputs: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.gather(images, indices, epoch)?;
        inputs.clear();
        if self.reducer.is_none() {
            inputs.extend(indices.iter().flat_map(|&i| images.image(i as usize)));
        } else {
            let tasks = &self.tasks[..indices.len().div_ceil(CHUNK)];
            inputs.extend(tasks.iter().flat_map(|task| &task.inputs));
        }
        Ok(())
    }

    /// Brings images to the size of the inputs, in tasks of [`CHUNK`] samples.
    fn gather(
        &mut self,
        images: &ImageSet,
        indices: &[u32],
        epoch: u32,
    ) -> Result<(), EncodeError> {
        RangeError::check("epoch", epoch.into(), 0.0, f64::from((1 << 24) - 1), "")?;
        images.check_indices(indices)?;
        self.prepare(images, indices.len().div_ceil(CHUNK))?;
        let reducer = self.reducer.as_ref();
        let augmentation = self
            .augmentation
            .is_on()
            .then_some((self.augmentation, self.seed));
        self.tasks
            .par_iter_mut()
            .zip(indices.par_chunks(CHUNK))
            .for_each(|(task, indices)| task.gather(images, indices, reducer, augmentation, epoch));
        Ok(())
    }

    fn prepare(&mut self, images: &ImageSet, tasks: usize) -> Result<(), EncodeError> {
        let side = images.side();
        let crop = self.reduction.crop_of(images);
        let inputs = side == self.reduction.side && crop == 0;
        if inputs && !self.augmentation.is_on() {
            self.reducer = None;
        } else if side <= self.reduction.side
            && self.augmentation.is_on()
            && self.augmentation.order == AugmentationOrder::BeforeReduction
        {
            return Err(EncodeError::ImageSize {
                name: images.name().to_owned(),
                found: side,
                need: format!(
                    "augmentation turns full images, larger than {0} x {0}: pass those that were \
                     not reduced, or set encoder.augmentation.order to after-reduction",
                    self.reduction.side
                ),
            });
        } else if !matches!(&self.reducer, Some(r) if (r.input(), r.crop()) == (side, crop)) {
            self.reducer = Some(Reducer::new(self.reduction, images)?);
        }
        let channels = self.channels();
        while self.tasks.len() < tasks {
            self.tasks.push(Task {
                inputs: Vec::new(),
                brightest: 0,
                reduced: Vec::new(),
                framed: FramedImage::default(),
                zoom: ZoomScratch::default(),
                latency: LatencyScratch::default(),
                spikes: SpikeBatch::new(channels),
            });
        }
        Ok(())
    }
}

impl Task {
    /// Brings the images to the size of the inputs and finds the brightest pixel.
    fn gather(
        &mut self,
        images: &ImageSet,
        indices: &[u32],
        reducer: Option<&Reducer>,
        augmentation: Option<(AugmentationConfig, Seed)>,
        epoch: u32,
    ) {
        let Some(reducer) = reducer else {
            let brightest = |&i: &u32| images.image(i as usize).iter().copied().max();
            self.brightest = indices.iter().filter_map(brightest).max().unwrap_or(0);
            return;
        };
        let channels = self.spikes.channels();
        self.inputs.resize(indices.len() * channels, 0);
        for (out, &index) in self.inputs.chunks_exact_mut(channels).zip(indices) {
            let image = images.image(index as usize);
            let Some((augmentation, seed)) = augmentation else {
                reducer.apply(image, &mut self.zoom, out);
                continue;
            };
            let draw = |side| augmentation.draw(seed, epoch, index.into(), side);
            if augmentation.order == AugmentationOrder::AfterReduction {
                self.reduced.resize(channels, 0);
                reducer.apply(image, &mut self.zoom, &mut self.reduced);
                let side = reducer.zoom().output();
                draw(side).nearest(&self.reduced, side, out);
                continue;
            }
            let map = draw(images.side());
            self.framed.load(image, images.side());
            let (framed, crop) = (&self.framed, reducer.crop());
            reducer.zoom().apply(
                &mut self.zoom,
                out,
                #[inline(always)]
                |row, values| {
                    framed.sample_row(&map, row + crop, crop, values);
                },
            );
        }
        self.brightest = self.inputs.iter().copied().max().unwrap_or(0);
    }

    /// Encodes the inputs: those of `images`, or else those gathered before.
    fn spike(
        &mut self,
        images: Option<&ImageSet>,
        indices: &[u32],
        code: &LatencyCode,
        origin: Origin,
    ) -> Result<(), EncodeError> {
        self.spikes.clear();
        let channels = self.spikes.channels();
        for (place, &index) in indices.iter().enumerate() {
            let pixels = match images {
                Some(images) => images.image(index as usize),
                None => &self.inputs[place * channels..][..channels],
            };
            let (latency, spikes) = (&mut self.latency, &mut self.spikes);
            code.push(index.into(), pixels, origin, latency, spikes)?;
        }
        Ok(())
    }
}
