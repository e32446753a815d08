//! `07_neural_texture`: it learns its picture, leaves it beside the target, and refuses others.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::command::{example, fails_with, succeeds};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn learn(seconds: &str, out: &Path) -> Command {
    let mut learn = example("07_neural_texture");
    learn.args(["--seconds", seconds, "--out"]).arg(out);
    learn
}

/// Target and result, as they were saved.
struct Beside {
    /// Columns and rows of each.
    size: [usize; 2],
    target: Vec<[u8; 3]>,
    result: Vec<[u8; 3]>,
}

impl Beside {
    fn read(path: &Path) -> Self {
        let file = BufReader::new(File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut samples = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut samples).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        assert!(info.width.is_multiple_of(2), "{}", info.width);
        let size = [info.width as usize / 2, info.height as usize];
        let rows = samples.as_chunks().0.chunks(2 * size[0]);
        Self {
            size,
            target: rows
                .clone()
                .flat_map(|row| &row[..size[0]])
                .copied()
                .collect(),
            result: rows.flat_map(|row| &row[size[0]..]).copied().collect(),
        }
    }

    fn psnr(&self) -> f64 {
        let samples = self
            .target
            .as_flattened()
            .iter()
            .zip(self.result.as_flattened());
        let squares = samples.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        let mean = squares.sum::<f64>() / self.target.as_flattened().len() as f64;
        10.0 * (255.0_f64.powi(2) / mean).log10()
    }
}

/// The PSNR printed must be that of the file. It is returned.
fn check_psnr(said: &str, beside: &Beside) -> f64 {
    let printed = said
        .split_once("PSNR ")
        .and_then(|(_, rest)| rest.split_once(" dB"));
    let printed: f64 = printed
        .unwrap_or_else(|| panic!("{said}"))
        .0
        .parse()
        .unwrap();
    let actual = beside.psnr();
    // Infinite where both are the same, as those of a few pixels may be.
    let equals = actual == printed || (actual - printed).abs() < 0.006;
    assert!(equals, "{actual}: {said}");
    printed
}

/// What is drawn, to the rounding: the sky with the sun above the hills, and the nearest hill.
fn check_drawn(beside: &Beside) {
    let mix = |a: f32, b: f32, part: f32| a + part.clamp(0.0, 1.0) * (b - a);
    for (i, colour) in beside.target.iter().enumerate() {
        let [x, y] = [i % 64, i / 64].map(|index| (index as f32 + 0.5) / 64.0);
        let wanted = match i / 64 {
            ..24 => {
                let sun = 1.0 - 200.0 * ((x - 0.7).hypot(y - 0.3) - 0.09);
                let sky = [(0.16, 0.98), (0.28, 0.76), (0.55, 0.52)];
                let sky = sky.map(|(above, below)| mix(above, below, 1.4 * y));
                [0, 1, 2].map(|c| mix(sky[c], [1.0, 0.95, 0.8][c], sun))
            }
            45..49 => [0.1, 0.2, 0.18],
            _ => continue,
        };
        for (sample, wanted) in colour.iter().zip(wanted) {
            let difference = f32::from(*sample) - 255.0 * wanted;
            assert!(difference.abs() <= 0.51, "{x}, {y}: {colour:?}");
        }
    }
}

/// It is 11 to 14 dB at first, 25 after 350 steps, and 38 to 40 after the 2,000 of an idle machine.
fn check_learns(devices: &[&str]) -> Vec<[u8; 3]> {
    let folder = folder();
    let out = folder.path().join("out.png");
    let mut learn = learn("3", &out);
    let said = succeeds(learn.args(["--side", "64", "--batch", "256"]).args(devices));
    assert_eq!(devices == ["--cpu"], said.starts_with("CPU twin"), "{said}");
    assert!(said.contains(" frames of 256 positions"), "{said}");
    assert!(said.contains(out.to_str().unwrap()), "{said}");
    let beside = Beside::read(&out);
    assert_eq!(beside.size, [64, 64]);
    check_drawn(&beside);
    let psnr = check_psnr(&said, &beside);
    assert!((22.0..60.0).contains(&psnr), "{said}");
    beside.target
}

#[test]
fn picture_is_learned_on_the_device_and_on_the_cpu() {
    let targets = [check_learns(&[]), check_learns(&["--cpu"])];
    assert!(targets[0] == targets[1], "the targets differ");
}

/// Five columns and three rows, each sample another.
fn write_picture(path: &Path, color: png::ColorType) -> Vec<u8> {
    let samples: Vec<u8> = (0..15 * color.samples())
        .map(|i| (i * 5 + 3) as u8)
        .collect();
    let mut encoder = png::Encoder::new(File::create(path).unwrap(), 5, 3);
    encoder.set_color(color);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&samples).unwrap();
    samples
}

#[test]
fn picture_of_a_file_is_learned_as_it_is() {
    let folder = folder();
    let [image, out] = ["in.png", "out.png"].map(|name| folder.path().join(name));
    let samples = write_picture(&image, png::ColorType::Rgb);
    let said = succeeds(
        learn("1", &out)
            .args(["--batch", "64", "--image"])
            .arg(&image),
    );
    let beside = Beside::read(&out);
    assert_eq!(beside.size, [5, 3]);
    assert_eq!(beside.target.as_flattened(), samples);
    let psnr = check_psnr(&said, &beside);
    assert!(psnr > 25.0, "{said}");

    // Grey, with an alpha channel that is passed over.
    let samples = write_picture(&image, png::ColorType::GrayscaleAlpha);
    let mut learn = learn("0.01", &out);
    let said = succeeds(learn.arg("--cpu").arg("--image").arg(&image));
    let beside = Beside::read(&out);
    check_psnr(&said, &beside);
    let grey: Vec<_> = samples
        .as_chunks()
        .0
        .iter()
        .map(|[grey, _]| [*grey; 3])
        .collect();
    assert_eq!(beside.target, grey);
}

#[test]
fn files_that_are_no_pictures_are_refused() {
    let folder = folder();
    let [image, out] = ["in.png", "out.png"].map(|name| folder.path().join(name));
    let learn = || {
        let mut learn = learn("20", &out);
        learn.arg("--image").arg(&image);
        learn
    };
    fails_with(&mut learn(), "cannot open");
    fs::write(&image, "no picture").unwrap();
    fails_with(&mut learn(), "is no PNG file that can be read");
    write_picture(&image, png::ColorType::Rgb);
    let bytes = fs::read(&image).unwrap();
    fs::write(&image, &bytes[..50]).unwrap();
    fails_with(&mut learn(), "is no PNG file that can be read");
    assert!(!out.exists());
}

/// Before the work, and not behind it.
#[test]
fn file_that_cannot_be_written_is_refused_at_once() {
    let folder = folder();
    let begin = Instant::now();
    let out = folder.path().join("no/such/out.png");
    fails_with(&mut learn("20", &out), "cannot write");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn wrong_arguments_are_refused() {
    let folder = folder();
    let out = folder.path().join("out.png");
    for (option, value, message) in [
        ("--seconds", "nan", "a number of seconds above 0"),
        ("--seconds", "0", "a number of seconds above 0"),
        ("--batch", "0", "0 is not in 1..=1048576"),
        ("--side", "5000", "5000 is not in 1..=4096"),
        ("--no-such-option", "", "unexpected argument"),
    ] {
        let mut learn = example("07_neural_texture");
        let learn = learn.arg("--out").arg(&out).args([option, value]);
        fails_with(learn, message);
    }
}
