//! Images of the crate `image`.

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use tfevents::{Image, ImageError};

/// Neither square nor the same in any two values.
const WIDTH: u32 = 3;
const HEIGHT: u32 = 2;

/// Channels, bits, and values as they are in the PNG.
fn decoded(image: &Image) -> (u8, u8, Vec<u16>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(image.png()));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.width, info.height), (image.width(), image.height()));
    let channels = info.color_type.samples() as u8;
    let values = match info.bit_depth {
        png::BitDepth::Sixteen => bytes
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        _ => bytes.into_iter().map(u16::from).collect(),
    };
    (channels, info.bit_depth as u8, values)
}

/// So many values, each its own.
fn counted<T>(channels: usize, value: impl Fn(u16) -> T) -> Vec<T> {
    let count = WIDTH as usize * HEIGHT as usize * channels;
    (0..count as u16).map(value).collect()
}

/// A buffer of each pixel of this depth, as an image and as a [`DynamicImage`].
macro_rules! images_of {
    ($depth:ty, $value:expr, $($pixel:ident $channels:literal),*) => {
        [$({
            let values: Vec<$depth> = counted($channels, $value);
            let buffer = ImageBuffer::<$pixel<$depth>, _>::from_raw(WIDTH, HEIGHT, values).unwrap();
            let own = Image::try_from(&buffer).unwrap();
            let size = (own.width(), own.height(), usize::from(own.channels()));
            assert_eq!(size, (WIDTH, HEIGHT, $channels));
            (own, DynamicImage::from(buffer))
        }),*]
    };
}

#[test]
fn bytes_stay_as_they_are() {
    let images = images_of!(u8, |i| 10 * i as u8 + 3, Luma 1, LumaA 2, Rgb 3, Rgba 4);
    for (channels, (own, dynamic)) in (1..).zip(images) {
        assert_eq!(Image::from_dynamic(&dynamic).unwrap(), own);
        assert_eq!(Image::try_from(&dynamic).unwrap(), own);
        let expected = counted(channels.into(), |i| 10 * i + 3);
        assert_eq!(decoded(&own), (channels, 8, expected));
    }
}

#[test]
fn sixteen_bits_stay_as_they_are() {
    let images = images_of!(u16, |i| 2000 * i + 7, Luma 1, LumaA 2, Rgb 3, Rgba 4);
    for (channels, (own, dynamic)) in (1..).zip(images) {
        assert_eq!(Image::from_dynamic(&dynamic).unwrap(), own);
        let expected = counted(channels.into(), |i| 2000 * i + 7);
        assert_eq!(decoded(&own), (channels, 16, expected));
        // The file itself makes the same image.
        assert_eq!(Image::from_png(own.png()).unwrap(), own);
    }
}

#[test]
fn floats_are_rounded_and_clipped() {
    let value = |i: u16| f32::from(i) / 8.0 - 0.25;
    let byte = |i: u16| (255.0 * value(i)).round().clamp(0.0, 255.0) as u16;
    let images = images_of!(f32, value, Rgb 3, Rgba 4);
    for (channels, (own, dynamic)) in (3..).zip(images) {
        assert_eq!(Image::from_dynamic(&dynamic).unwrap(), own);
        let expected = counted(channels.into(), byte);
        assert!(expected.contains(&32) && expected.ends_with(&[255]));
        assert_eq!(decoded(&own), (channels, 8, expected));
    }
    let gray = ImageBuffer::<Luma<f32>, _>::from_raw(WIDTH, HEIGHT, counted(1, value)).unwrap();
    let gray = Image::try_from(&gray).unwrap();
    assert_eq!(decoded(&gray), (1, 8, counted(1, byte)));
    let alpha = ImageBuffer::<LumaA<f32>, _>::from_raw(WIDTH, HEIGHT, counted(2, value)).unwrap();
    let alpha = Image::try_from(&alpha).unwrap();
    assert_eq!(decoded(&alpha), (2, 8, counted(2, byte)));
}

#[test]
fn slices_and_long_containers_are_taken() {
    let bytes: Vec<u8> = (0..100).collect();
    let borrowed = ImageBuffer::<Rgb<u8>, &[u8]>::from_raw(4, 2, &bytes).unwrap();
    let image = Image::try_from(&borrowed).unwrap();
    assert_eq!(decoded(&image), (3, 8, (0..24).collect()));
}

#[test]
fn what_is_no_image_is_refused() {
    for (width, height) in [(0, 3), (3, 0), (0, 0)] {
        let error = Image::try_from(&GrayImage::new(width, height)).unwrap_err();
        assert!(
            matches!(error, ImageError::Size { width: w, height: h } if (w, h) == (width, height)),
            "{error}"
        );
        let empty = DynamicImage::from(GrayAlphaImage::new(width, height));
        assert!(matches!(
            Image::from_dynamic(&empty),
            Err(ImageError::Size { .. })
        ));
        let empty = DynamicImage::from(ImageBuffer::<Rgba<f32>, _>::new(width, height));
        assert!(matches!(
            Image::from_dynamic(&empty),
            Err(ImageError::Size { .. })
        ));
    }
    let mut values = counted(3, f32::from);
    values[3 * 5 + 2] = f32::NAN;
    let buffer = ImageBuffer::<Rgb<f32>, _>::from_raw(WIDTH, HEIGHT, values).unwrap();
    let error = Image::from_dynamic(&buffer.into()).unwrap_err();
    // The last pixel.
    assert!(
        matches!(
            error,
            ImageError::NotANumber {
                row: 1,
                column: 2,
                channel: 2
            }
        ),
        "{error}"
    );
}
