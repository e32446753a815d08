//! Images of the crate `image`.

use std::ops::Deref;

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Pixel, Rgb, Rgba};

use super::{Image, ImageError};

impl Image {
    /// Encodes an image of the crate `image`, as it is decoded from a file, say.
    ///
    /// | pixels of `image` | stored as | channels |
    /// |---|---|---|
    /// | `Luma`, `LumaA`, `Rgb`, `Rgba` of `u8` | PNG of 8 bits, the same values | 1, 2, 3, 4 |
    /// | the same of `u16` | PNG of 16 bits, the same values | 1, 2, 3, 4 |
    /// | the same of `f32` | PNG of 8 bits: 255 *v*, rounded to nearest and clipped | 1, 2, 3, 4 |
    ///
    /// Kinds of pixels that later versions of `image` may add are converted to RGBA of 16 bits.
    /// Buffers of one kind of pixel are taken by `TryFrom` as well.
    ///
    /// ```
    /// use image::{DynamicImage, RgbImage};
    /// use tfevents::Image;
    ///
    /// let red = RgbImage::from_pixel(4, 2, image::Rgb([255, 0, 0]));
    /// let picture = Image::try_from(&red)?;
    /// assert_eq!((picture.width(), picture.height(), picture.channels()), (4, 2, 3));
    /// let gray = DynamicImage::from(red).to_luma16();
    /// assert_eq!(Image::from_dynamic(&gray.into())?.channels(), 1);
    /// # Ok::<(), tfevents::ImageError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`ImageError::Size`]: a side is 0 or longer than 2³¹ − 1 pixels.
    /// * [`ImageError::NotANumber`]: a value of `f32` is NaN.
    /// * [`ImageError::Encode`]: the encoder refuses.
    pub fn from_dynamic(image: &DynamicImage) -> Result<Self, ImageError> {
        match image {
            DynamicImage::ImageLuma8(it) => it.try_into(),
            DynamicImage::ImageLumaA8(it) => it.try_into(),
            DynamicImage::ImageRgb8(it) => it.try_into(),
            DynamicImage::ImageRgba8(it) => it.try_into(),
            DynamicImage::ImageLuma16(it) => it.try_into(),
            DynamicImage::ImageLumaA16(it) => it.try_into(),
            DynamicImage::ImageRgb16(it) => it.try_into(),
            DynamicImage::ImageRgba16(it) => it.try_into(),
            DynamicImage::ImageRgb32F(it) => it.try_into(),
            DynamicImage::ImageRgba32F(it) => it.try_into(),
            other => Self::try_from(&other.to_rgba16()),
        }
    }
}

impl TryFrom<&DynamicImage> for Image {
    type Error = ImageError;

    /// As [`Image::from_dynamic`].
    fn try_from(image: &DynamicImage) -> Result<Self, ImageError> {
        Self::from_dynamic(image)
    }
}

/// Numbers of which pixels may consist.
trait Depth: Sized {
    /// `samples` are row by row, the channels of a pixel side by side.
    fn encode(size: [u32; 2], channels: u8, samples: &[Self]) -> Result<Image, ImageError>;
}

impl Depth for u8 {
    fn encode(size: [u32; 2], channels: u8, samples: &[Self]) -> Result<Image, ImageError> {
        Image::encode(size, channels, samples)
    }
}

impl Depth for u16 {
    fn encode(size: [u32; 2], channels: u8, samples: &[Self]) -> Result<Image, ImageError> {
        Image::encode_16(size, channels, samples)
    }
}

impl Depth for f32 {
    fn encode(size: [u32; 2], channels: u8, samples: &[Self]) -> Result<Image, ImageError> {
        let place = samples.iter().position(|value| value.is_nan());
        if let Some(place) = place {
            let (pixel, channel) = (place / channels as usize, place % channels as usize);
            return Err(ImageError::NotANumber {
                row: pixel / size[0] as usize,
                column: pixel % size[0] as usize,
                channel,
            });
        }
        Image::encode(size, channels, &super::image::bytes(samples.iter()))
    }
}

macro_rules! from_buffers {
    ($($pixel:ident<$depth:ty>)*) => {$(
        impl<C: Deref<Target = [$depth]>> TryFrom<&ImageBuffer<$pixel<$depth>, C>> for Image {
            type Error = ImageError;

            /// As [`Image::from_dynamic`].
            fn try_from(image: &ImageBuffer<$pixel<$depth>, C>) -> Result<Self, ImageError> {
                let size = [image.width(), image.height()];
                let channels = $pixel::<$depth>::CHANNEL_COUNT;
                // A container may be longer than its image.
                let samples = image.as_flat_samples();
                let used = samples.min_length().unwrap_or(usize::MAX);
                let samples = samples.samples.get(..used).unwrap_or(samples.samples);
                Depth::encode(size, channels, samples)
            }
        }
    )*};
}

from_buffers!(
    Luma<u8> LumaA<u8> Rgb<u8> Rgba<u8>
    Luma<u16> LumaA<u16> Rgb<u16> Rgba<u16>
    Luma<f32> LumaA<f32> Rgb<f32> Rgba<f32>
);
