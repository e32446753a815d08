//! Images, stored as PNG.

use std::error::Error;
use std::fmt;

use super::{Summary, wire};

/// A picture in the form of a PNG file.
///
/// ```
/// use tfevents::{Image, Summary};
///
/// // Two rows of three pixels.
/// let image = Image::from_gray8(3, 2, &[0, 64, 128, 192, 255, 0])?;
/// let summary = Summary::new().image("digits", &image);
/// # Ok::<(), tfevents::ImageError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    channels: u8,
    png: Vec<u8>,
}

impl Image {
    /// Encodes pixels of three bytes, red, green and blue, row by row from the top: `3 · width ·
    /// height` bytes.
    ///
    /// # Errors
    ///
    /// * [`ImageError::Size`]: a side is 0 or longer than 2³¹ − 1 pixels.
    /// * [`ImageError::Pixels`]: `pixels` has another length.
    /// * [`ImageError::Encode`]: the encoder refuses.
    pub fn from_rgb8(width: u32, height: u32, pixels: &[u8]) -> Result<Self, ImageError> {
        Self::encode([width, height], 3, pixels)
    }

    /// Encodes pixels of one byte, from black to white, row by row from the top: `width · height`
    /// bytes.
    ///
    /// # Errors
    ///
    /// As [`from_rgb8`](Self::from_rgb8).
    pub fn from_gray8(width: u32, height: u32, pixels: &[u8]) -> Result<Self, ImageError> {
        Self::encode([width, height], 1, pixels)
    }

    /// Takes a PNG file as it is. Size and colours are read from its header; what follows the
    /// header is not looked at.
    ///
    /// # Errors
    ///
    /// * [`ImageError::Decode`]: the bytes do not begin with the header of a PNG file.
    /// * [`ImageError::Size`]: a side is longer than 2³¹ − 1 pixels.
    pub fn from_png(bytes: impl Into<Vec<u8>>) -> Result<Self, ImageError> {
        let bytes = bytes.into();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(&bytes));
        let header = decoder
            .read_header_info()
            .map_err(|error| ImageError::Decode {
                source: error.into(),
            })?;
        let channels = match header.color_type {
            png::ColorType::Grayscale => 1,
            png::ColorType::GrayscaleAlpha => 2,
            // The colours of a palette are RGB.
            png::ColorType::Rgb | png::ColorType::Indexed => 3,
            png::ColorType::Rgba => 4,
        };
        let size = [header.width, header.height];
        Self::new(size, channels, bytes)
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Values per pixel: 1 gray, 2 gray and opacity, 3 RGB, 4 RGB and opacity.
    #[must_use]
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// The PNG file.
    #[must_use]
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// Pixels of 8 bits a channel.
    pub(super) fn encode(size: [u32; 2], channels: u8, pixels: &[u8]) -> Result<Self, ImageError> {
        check_pixels(size, channels, pixels.len())?;
        Self::store(size, channels, png::BitDepth::Eight, pixels)
    }

    /// Pixels of 16 bits a channel.
    #[cfg(feature = "image")]
    pub(super) fn encode_16(
        size: [u32; 2],
        channels: u8,
        pixels: &[u16],
    ) -> Result<Self, ImageError> {
        check_pixels(size, channels, pixels.len())?;
        // As PNG has it.
        let bytes: Vec<u8> = pixels
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect();
        Self::store(size, channels, png::BitDepth::Sixteen, &bytes)
    }

    fn store(
        size: [u32; 2],
        channels: u8,
        depth: png::BitDepth,
        bytes: &[u8],
    ) -> Result<Self, ImageError> {
        let png = encode_png(size, channels, depth, bytes).map_err(|error| ImageError::Encode {
            source: error.into(),
        })?;
        Self::new(size, channels, png)
    }

    fn new(size: [u32; 2], channels: u8, png: Vec<u8>) -> Result<Self, ImageError> {
        check_size(size)?;
        let [width, height] = size;
        Ok(Self {
            width,
            height,
            channels,
            png,
        })
    }
}

/// The event file stores sides as `int32`.
fn check_size([width, height]: [u32; 2]) -> Result<(), ImageError> {
    let allowed = 1..=i32::MAX.cast_unsigned();
    if allowed.contains(&width) && allowed.contains(&height) {
        Ok(())
    } else {
        Err(ImageError::Size { width, height })
    }
}

/// Whether an image of this size has so many values, and can be stored.
fn check_pixels(size: [u32; 2], channels: u8, actual: usize) -> Result<(), ImageError> {
    check_size(size)?;
    let [width, height] = size;
    // At most 2³³ times 2³¹: no overflow.
    let expected = u64::from(width) * u64::from(channels) * u64::from(height);
    match actual as u64 == expected {
        true => Ok(()),
        false => Err(ImageError::Pixels { expected, actual }),
    }
}

/// The bytes of values from 0 to 1; others are clipped.
#[cfg(any(feature = "image", feature = "ndarray"))]
pub(super) fn bytes<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<u8> {
    // The conversion clips.
    values.map(|value| (255.0 * value).round() as u8).collect()
}

fn encode_png(
    [width, height]: [u32; 2],
    channels: u8,
    depth: png::BitDepth,
    pixels: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(depth);
    encoder.set_color(match channels {
        1 => png::ColorType::Grayscale,
        2 => png::ColorType::GrayscaleAlpha,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

/// There is no such image.
#[non_exhaustive]
#[derive(Debug)]
pub enum ImageError {
    /// An image has pixels, and no side of more than 2³¹ − 1 of them.
    Size {
        /// Pixels in a row.
        width: u32,
        /// Number of rows.
        height: u32,
    },
    /// There are more values than the image has, or fewer.
    Pixels {
        /// Width times height times channels.
        expected: u64,
        /// How many there are.
        actual: usize,
    },
    /// An array has neither 1 (gray), 2 (gray, opacity), 3 (RGB) nor 4 (RGB, opacity) channels.
    Channels {
        /// How many it has.
        channels: usize,
    },
    /// A value is NaN, which is no brightness.
    NotANumber {
        /// From 0, the top.
        row: usize,
        /// From 0.
        column: usize,
        /// From 0.
        channel: usize,
    },
    /// The bytes are not a PNG file.
    Decode {
        /// What the decoder says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The encoder failed.
    Encode {
        /// What the encoder says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { width, height } => write!(
                f,
                "an image of {width} × {height} pixels; both have to be in 1..=2147483647"
            ),
            Self::Pixels { expected, actual } => write!(
                f,
                "{actual} bytes of pixels where the size of the image asks for {expected}"
            ),
            Self::Channels { channels } => {
                write!(f, "an array of {channels} channels; images have 1 to 4")
            }
            Self::NotANumber {
                row,
                column,
                channel,
            } => {
                write!(f, "row {row}, column {column}, channel {channel} is NaN")
            }
            Self::Decode { source } => write!(f, "not a PNG file: {source}"),
            Self::Encode { source } => write!(f, "the image cannot be encoded: {source}"),
        }
    }
}

impl Error for ImageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode { source } | Self::Encode { source } => Some(source.as_ref()),
            Self::Size { .. }
            | Self::Pixels { .. }
            | Self::Channels { .. }
            | Self::NotANumber { .. } => None,
        }
    }
}

impl Summary {
    /// Adds an image: TensorBoard shows it under *Images*.
    #[must_use]
    pub fn image(self, tag: &str, image: &Image) -> Self {
        self.value(tag, |data| {
            wire::put_message(data, IMAGE, |data| {
                wire::put_integer(data, HEIGHT, image.height.into());
                wire::put_integer(data, WIDTH, image.width.into());
                wire::put_integer(data, COLORSPACE, image.channels.into());
                wire::put_bytes(data, ENCODED_IMAGE_STRING, &image.png);
            });
        })
    }
}

/// Field of `Summary.Value`.
const IMAGE: u8 = 4;
/// Fields of `Summary.Image`.
const HEIGHT: u8 = 1;
const WIDTH: u8 = 2;
const COLORSPACE: u8 = 3;
const ENCODED_IMAGE_STRING: u8 = 4;
