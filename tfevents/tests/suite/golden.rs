//! Event files equal to those of PyTorch's `SummaryWriter`, byte for byte;
//! `scripts/golden_events.py` made them.
//!
//! The first record is compared without `source_metadata`, in which TensorBoard's writer names
//! itself.

use std::path::Path;

use prost::Message;
use tfevents::{
    Category, Graph, HParams, Histogram, Image, Layout, Margin, Node, PrCurve, SessionStatus,
    Summary,
};

use crate::decoder;
use crate::proto::{self, Content, Event, What};

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::read(folder.join(format!("{name}.tfevents"))).unwrap()
}

/// Everything behind the first record has to be equal, and the first record but for the name of its
/// writer.
fn assert_equals_golden(name: &str, ours: &[u8]) {
    let golden = golden(name);
    let golden_records = decoder::records(&golden);
    let records = decoder::records(ours);
    let mut version = Event::decode(golden_records[0]).unwrap();
    let writer = version.source_metadata.take().unwrap().writer;
    assert_eq!(writer, "tensorboard.summary.writer.event_file_writer");
    assert_eq!(records[0], version.encode_to_vec());
    assert!(records.len() > 1);
    for (number, (ours, golden)) in records.iter().zip(&golden_records).enumerate().skip(1) {
        let read = |bytes: &[u8]| Event::decode(bytes);
        assert!(
            ours == golden,
            "{name}, record {number}:\n{:?}\n{:?}\n{ours:?}\n{golden:?}",
            read(ours),
            read(golden)
        );
    }
    let framing = 8 + 4 + 4;
    let behind = |file: &[u8], first: &[u8]| file[framing + first.len()..].to_vec();
    assert_eq!(behind(ours, records[0]), behind(&golden, golden_records[0]));
}

/// A file of summaries, each with its step.
fn file_of(summaries: impl IntoIterator<Item = (i64, Summary)>) -> Vec<u8> {
    proto::file(|events| {
        let mut summaries = summaries.into_iter();
        summaries.try_for_each(|(step, summary)| events.summary(step, &summary))
    })
}

#[test]
fn golden_scalars_equal_those_of_pytorch() {
    let scalars = [
        ("train/loss", 0.25, 1),
        ("train/loss", 0.1, 2),
        ("größe", -0.0, 0),
        ("", 0.0, -1),
        ("steps", f32::INFINITY, 1 << 40),
        ("nan", f32::NAN, 3),
    ];
    // Both ways to write one give the same bytes.
    let summaries = scalars.map(|(tag, value, step)| (step, Summary::new().scalar(tag, value)));
    assert_equals_golden("scalars", &file_of(summaries));
    let file = proto::file(|events| {
        let mut scalars = scalars.into_iter();
        scalars.try_for_each(|(tag, value, step)| events.scalar(tag, step, value))
    });
    assert_equals_golden("scalars", &file);
}

#[test]
fn golden_histograms_equal_those_of_pytorch() {
    let power = |n| 2.0_f64.powi(n);
    let values: [(&str, Vec<f64>); 7] = [
        ("spread", (-3..41).map(|k| f64::from(k) / 8.0).collect()),
        ("one", vec![3.0]),
        ("zeros", vec![0.0; 5]),
        ("tiny", vec![power(-39), -power(-36), power(-50), -0.0]),
        ("huge", vec![power(60), power(59)]),
        ("negative", vec![-1.0, -0.125, -7.5, -7.5]),
        ("negative zero", vec![-0.0]),
    ];
    let summaries =
        values.map(|(tag, values)| Summary::new().histogram(tag, &Histogram::of(values)));
    assert_equals_golden("histogram", &file_of((1..).zip(summaries)));
}

#[test]
fn golden_texts_equal_those_of_pytorch() {
    let texts = [
        ("config", "| name | value |\n|---|---|\n| größe | 7 |"),
        ("empty", ""),
        ("", "no tag"),
    ];
    let summaries = texts.map(|(tag, text)| Summary::new().text(tag, text));
    assert_equals_golden("text", &file_of((0..).zip(summaries)));
}

#[test]
fn golden_hparams_equal_those_of_pytorch() {
    let hparams = HParams::new()
        .param("lr", 0.1_f32)
        .param("optimizer", "adam")
        .param("batch", 64_usize)
        .param("zero", 0)
        .param("empty", "")
        .param("größe", String::from("µ"))
        .param("a", -1.5)
        .metric("accuracy/test")
        .metric("loss");
    let summaries = [
        Summary::new().hparams_experiment(&hparams),
        Summary::new().hparams_start(&hparams),
        Summary::new().hparams_end(SessionStatus::Success),
        Summary::new().scalar("accuracy/test", 0.5),
        Summary::new().scalar("loss", 2.0),
    ];
    let file = file_of(summaries.map(|summary| (0, summary)));
    assert_equals_golden("hparams", &file);
}

#[test]
fn golden_layout_equals_that_of_pytorch() {
    let bounds = Margin {
        value: "loss/mean",
        lower: "loss/min",
        upper: "loss/max",
    };
    let layout = Layout::new()
        .category(
            Category::new("losses")
                .multiline("both", &["loss/train", "loss/test"])
                .margin("bounds", &[bounds]),
        )
        .category(Category::new("empty"));
    let file = file_of([(0, Summary::new().layout(&layout))]);
    assert_equals_golden("layout", &file);
}

#[test]
fn golden_pr_curves_equal_those_of_pytorch() {
    let predictions: Vec<f32> = (0..1025_u16).map(|k| f32::from(k) / 1024.0).collect();
    let labels: Vec<bool> = (0..1025).map(|k| k * 37 % 1025 < k).collect();
    let thirds: Vec<f32> = (0..100_u16).map(|k| f32::from(k) / 99.0).collect();
    let every_third: Vec<bool> = (0..100).map(|k| k % 3 == 0).collect();
    let curves = [
        ("127", PrCurve::of(&labels, &predictions, 127)),
        ("100", PrCurve::of(&every_third, &thirds, 100)),
        (
            "no positives",
            PrCurve::of(&[false; 3], &[0.0, 0.5, 1.0], 2),
        ),
    ];
    let summaries = curves.map(|(tag, curve)| Summary::new().pr_curve(tag, &curve.unwrap()));
    assert_equals_golden("pr_curve", &file_of((7..).zip(summaries)));
}

#[test]
fn golden_graph_equals_that_of_pytorch() {
    let graph = Graph::new()
        .node(Node::new("x", "Placeholder").shape(&[None, Some(64)]))
        .node(Node::new("layer1/w", "Variable").shape(&[Some(64), Some(10)]))
        .node(
            Node::new("layer1/matmul", "MatMul")
                .input("x")
                .input("layer1/w")
                .attribute("attr", "{slow: 0}")
                .shape(&[None, Some(10)]),
        )
        .node(Node::new("loss", "Sum").input("layer1/matmul").shape(&[]));
    let file = proto::file(|events| events.graph(&graph));
    assert_equals_golden("graph", &file);
}

/// Pixels and sizes are equal; the PNG files are not, for their encoders compress differently.
///
/// PyTorch stores gray images as RGB with three equal channels, the crate with one.
#[test]
fn golden_images_hold_the_fields_and_pixels_of_pytorch() {
    let bytes = |count: u16| (0..count).map(|k| (2 * k % 256) as u8).collect::<Vec<_>>();
    let gray: Vec<u8> = bytes(35).into_iter().flat_map(|byte| [byte; 3]).collect();
    let images = [("gray", gray), ("rgb", bytes(105))];
    let golden = golden("image");
    let golden = &decoder::records(&golden)[1..];
    assert_eq!(golden.len(), images.len());
    for (golden, (tag, pixels)) in golden.iter().zip(images) {
        let golden = Event::decode(*golden).unwrap();
        let Some(What::Summary(summary)) = golden.what else {
            panic!("no summary");
        };
        let image = Image::from_rgb8(7, 5, &pixels).unwrap();
        let ours = proto::values(&Summary::new().image(tag, &image));
        let [golden, ours] = [&summary.value[..], &ours[..]].map(|values| {
            assert_eq!((values.len(), values[0].tag.as_str()), (1, tag));
            match &values[0].content {
                Some(Content::Image(image)) => (
                    [image.height, image.width, image.colorspace],
                    proto::decode_png(&image.encoded_image_string),
                ),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(ours, golden);
    }
}
