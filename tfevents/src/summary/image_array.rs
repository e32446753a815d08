//! Images from arrays of numbers.

use ndarray::{ArrayView2, ArrayView3, Axis};

use super::{Image, ImageError, image};

impl Image {
    /// Encodes an array of rows × columns × channels with values in 0..=1: gray, gray and opacity,
    /// RGB, or RGB and opacity.
    ///
    /// A value *v* becomes the byte 255 *v*, rounded to nearest (`PyTorch` rounds down). Values
    /// below 0 become 0, those above 1 become 255.
    ///
    /// ```
    /// use tfevents::Image;
    /// use ndarray::Array3;
    ///
    /// let fade = Array3::from_shape_fn((8, 16, 3), |(_, column, _)| column as f32 / 15.0);
    /// let image = Image::from_array(fade.view())?;
    /// assert_eq!((image.width(), image.height(), image.channels()), (16, 8, 3));
    /// # Ok::<(), tfevents::ImageError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`ImageError::Channels`]: the last axis is not 1 to 4 long.
    /// * [`ImageError::NotANumber`]: a value is NaN.
    /// * [`ImageError::Size`]: another axis is empty, or too long for an image.
    /// * [`ImageError::Encode`]: the encoder refuses.
    pub fn from_array(array: ArrayView3<'_, f32>) -> Result<Self, ImageError> {
        let (rows, columns, channels) = array.dim();
        let channels = match channels {
            1..=4 => channels as u8,
            _ => return Err(ImageError::Channels { channels }),
        };
        let place = array.indexed_iter().find(|(_, value)| value.is_nan());
        if let Some(((row, column, channel), _)) = place {
            return Err(ImageError::NotANumber {
                row,
                column,
                channel,
            });
        }
        // Too long is too long: the largest number is refused as well.
        let [width, height] = [columns, rows].map(|side| side.try_into().unwrap_or(u32::MAX));
        Self::encode([width, height], channels, &image::bytes(array.iter()))
    }

    /// Encodes an array of rows × columns with values from 0, black, to 1, white; otherwise as
    /// [`from_array`](Self::from_array).
    ///
    /// # Errors
    ///
    /// As [`from_array`](Self::from_array).
    pub fn from_gray_array(array: ArrayView2<'_, f32>) -> Result<Self, ImageError> {
        Self::from_array(array.insert_axis(Axis(2)))
    }
}
