//! Pictures: drawn, read, compared and saved; and how a position becomes the input of a network.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

/// Sine and cosine of two coordinates at eight frequencies; `sample.wgsl` computes the same.
pub(crate) const INPUTS: usize = 32;
const FREQUENCIES: usize = 8;

/// Colours from 0 to 1, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<[f32; 3]>,
}

/// The inputs for the middle of a pixel.
pub(crate) fn encode(picture: &Picture, pixel: u32) -> [f32; INPUTS] {
    let (column, row) = (pixel % picture.width, pixel / picture.width);
    let at = [
        (column as f32 + 0.5) / picture.width as f32,
        (row as f32 + 0.5) / picture.height as f32,
    ];
    let mut inputs = [0.0; INPUTS];
    for (i, input) in inputs.chunks_exact_mut(2).enumerate() {
        let frequency = 0.5 * 2.0_f32.powi((i % FREQUENCIES) as i32);
        let turn = (at[i / FREQUENCIES] * frequency).fract();
        let (sine, cosine) = (std::f32::consts::TAU * turn).sin_cos();
        input.copy_from_slice(&[sine, cosine]);
    }
    inputs
}

impl Picture {
    /// Hills in the mist under a sun: smooth sky, hard edges, fine stripes of water.
    pub(crate) fn draw(side: u32) -> Self {
        let middle = |i: u32| (i as f32 + 0.5) / side as f32;
        let pixel = |i: u32| colour(middle(i % side), middle(i / side));
        Self {
            width: side,
            height: side,
            pixels: (0..side * side).map(pixel).collect(),
        }
    }

    /// A PNG file of 8 bits a channel; what is transparent stays what colour it has.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file =
            File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let wrong = |error| {
            format!(
                "{} is no PNG file that can be read: {error}",
                path.display()
            )
        };
        let mut reader = decoder.read_info().map_err(wrong)?;
        let bytes = reader
            .output_buffer_size()
            .ok_or_else(|| format!("{} is too large", path.display()))?;
        let mut samples = vec![0; bytes];
        let info = reader.next_frame(&mut samples).map_err(wrong)?;
        let channels = info.color_type.samples();
        let pixel = |pixel: &[u8]| {
            let colours = if channels < 3 { [0; 3] } else { [0, 1, 2] };
            colours.map(|channel| f32::from(pixel[channel]) / 255.0)
        };
        let samples = &samples[..info.buffer_size()];
        Ok(Self {
            width: info.width,
            height: info.height,
            pixels: samples.chunks_exact(channels).map(pixel).collect(),
        })
    }

    /// Another picture of this size.
    pub(crate) fn with_pixels(&self, outputs: &[f32]) -> Self {
        let pixel = |pixel: &[f32]| [pixel[0], pixel[1], pixel[2]];
        Self {
            pixels: outputs.chunks_exact(3).map(pixel).collect(),
            ..*self
        }
    }

    /// 10 log₁₀ (1 / mean squared error), in dB, of what is saved: 8 bits a channel.
    pub(crate) fn psnr(&self, other: &Self) -> f64 {
        let pairs = self
            .pixels
            .iter()
            .flatten()
            .zip(other.pixels.iter().flatten());
        let squares = pairs.map(|(a, b)| {
            let difference = f64::from(byte(*a)) - f64::from(byte(*b));
            (difference / 255.0).powi(2)
        });
        let count = 3 * self.pixels.len();
        -10.0 * (squares.sum::<f64>() / count as f64).log10()
    }

    /// Both pictures side by side, this one to the left.
    pub(crate) fn save_beside(&self, other: &Self, path: &Path) -> Result<(), Box<dyn Error>> {
        let width = self.width as usize;
        let rows = self.pixels.chunks(width).zip(other.pixels.chunks(width));
        let samples: Vec<u8> = rows
            .flat_map(|(left, right)| left.iter().chain(right))
            .flatten()
            .map(|sample| byte(*sample))
            .collect();
        let mut encoder = png::Encoder::new(
            BufWriter::new(File::create(path)?),
            2 * self.width,
            self.height,
        );
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&samples)?;
        writer.finish()?;
        Ok(())
    }
}

fn byte(sample: f32) -> u8 {
    (255.0 * sample.clamp(0.0, 1.0)).round() as u8
}

fn colour(x: f32, y: f32) -> [f32; 3] {
    let mut colour = mix([0.16, 0.28, 0.55], [0.98, 0.76, 0.52], y * 1.4);
    let sun = ((x - 0.7).powi(2) + (y - 0.3).powi(2)).sqrt();
    colour = mix(colour, [1.0, 0.95, 0.8], 1.0 - (sun - 0.09) * 200.0);
    for (i, depth) in [0.0, 0.5, 1.0].into_iter().enumerate() {
        let wave = (x * (7.0 + 5.0 * i as f32) + 2.0 * i as f32).sin();
        let hill = 0.45 + 0.12 * depth + 0.05 * wave + 0.02 * (x * 31.0).sin();
        let shade = mix([0.55, 0.5, 0.6], [0.1, 0.2, 0.18], depth);
        colour = mix(colour, shade, (y - hill) * 200.0);
    }
    let water = 0.5 + 0.5 * ((y - 0.78) * 240.0 / (0.3 + y)).sin() * (x * 40.0).cos();
    let lake = mix([0.12, 0.25, 0.42], [0.85, 0.75, 0.6], 0.6 * water);
    mix(colour, lake, (y - 0.78) * 200.0)
}

/// From `a` to `b` as `part` goes from 0 to 1.
fn mix(a: [f32; 3], b: [f32; 3], part: f32) -> [f32; 3] {
    let part = part.clamp(0.0, 1.0);
    std::array::from_fn(|i| a[i] + part * (b[i] - a[i]))
}
