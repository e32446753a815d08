//! Every kind of summary: what it computes, what it refuses, and what another decoder reads from
//! it.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3};
use tfevents::{
    Category, Graph, HParams, Histogram, HistogramError, Image, ImageError, Layout, Margin, Node,
    PrCurve, PrCurveError, SessionStatus, Summary,
};

use crate::proto::{self, Content, HParamsData, Kind};

/// The only value of a summary.
fn value(summary: &Summary) -> proto::Value {
    let [value] = <[_; 1]>::try_from(proto::values(summary)).unwrap();
    value
}

fn plugin(value: &proto::Value) -> (&str, &[u8]) {
    let metadata = value.metadata.as_ref().unwrap();
    let plugin = metadata.plugin_data.as_ref().unwrap();
    (&plugin.plugin_name, &plugin.content)
}

fn tensor(value: &proto::Value) -> (i32, Vec<i64>, &proto::TensorProto) {
    let Some(Content::Tensor(tensor)) = &value.content else {
        panic!("{value:?}");
    };
    let shape = tensor.tensor_shape.as_ref().unwrap();
    let sizes = shape.dim.iter().map(|dim| dim.size).collect();
    (tensor.dtype, sizes, tensor)
}

// ---- Histograms
// -----------------------------------------------------------------------------------------------------

/// The definition, without a search: the last edge that is not above the value.
fn bucket_by_definition(value: f64) -> usize {
    let edges = Histogram::edges();
    let below = edges.iter().filter(|edge| **edge <= value).count();
    below.saturating_sub(1).min(edges.len() - 2)
}

#[test]
fn histogram_edges_are_those_of_tensorflow() {
    let mut positive = vec![1e-12];
    while positive.last().unwrap() * 1.1 < 1e20 {
        positive.push(positive.last().unwrap() * 1.1);
    }
    let negative = positive.iter().rev().map(|edge| -edge);
    let expected: Vec<f64> = negative.chain([0.0]).chain(positive.clone()).collect();
    assert_eq!(Histogram::edges(), expected);
    assert_eq!(Histogram::BUCKETS, 1548);
    assert_eq!(Histogram::edges().len(), Histogram::BUCKETS + 1);
}

#[test]
fn histogram_edges_of_f32_divide_f32_values_alike() {
    let edges = Histogram::edges_f32();
    let search = |value: f32| {
        let below = edges.partition_point(|edge| *edge <= value);
        below.saturating_sub(1).min(Histogram::BUCKETS - 1)
    };
    let special = [
        0.0,
        -0.0,
        f32::MIN_POSITIVE,
        -f32::from_bits(1),
        f32::MAX,
        f32::MIN,
    ];
    let near = edges.iter().flat_map(|edge| {
        let (down, up) = (edge.next_down(), edge.next_up());
        [down.next_down(), down, *edge, up, up.next_up()]
    });
    let mut count = 0;
    for value in near.chain(special) {
        let expected = bucket_by_definition(value.into());
        assert_eq!(search(value), expected, "{value:e}");
        assert_eq!(Histogram::bucket_of(value.into()), expected, "{value:e}");
        count += 1;
    }
    assert_eq!(count, 5 * 1549 + 6);
}

#[test]
fn histogram_bucket_holds_its_lower_edge_and_not_its_upper() {
    for (bucket, ends) in Histogram::edges().windows(2).enumerate() {
        assert_eq!(Histogram::bucket_of(ends[0]), bucket);
        assert_eq!(Histogram::bucket_of(ends[1].next_down()), bucket);
    }
    let last = Histogram::BUCKETS - 1;
    let end = Histogram::edges()[Histogram::BUCKETS];
    for outside in [end, end.next_up(), 1e300] {
        assert_eq!(Histogram::bucket_of(outside), last);
        assert_eq!(Histogram::bucket_of(-outside.next_up()), 0);
    }
}

#[test]
fn histogram_keeps_what_lies_outside_and_counts_apart_what_is_not_finite() {
    let far = 2.0_f64.powi(100);
    let values = [far, -far, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.0];
    let histogram = Histogram::of(values);
    assert_eq!((histogram.num(), histogram.non_finite()), (3, 3));
    assert_eq!((histogram.min(), histogram.max()), (-far, far));
    assert_eq!(
        (histogram.sum(), histogram.sum_squares()),
        (2.0, 2.0 * far * far)
    );
    let buckets = histogram.buckets();
    assert_eq!((buckets[0], buckets[Histogram::bucket_of(2.0)]), (1, 1));
    assert_eq!(buckets[Histogram::BUCKETS - 1], 1);
    assert_eq!(buckets.iter().sum::<u64>(), 3);
}

#[test]
fn histogram_is_stored_as_the_buckets_in_use() {
    let histogram = Histogram::of([1.0_f32, 1.0, 4.0, -2.0]);
    let stored = value(&Summary::new().histogram("w", &histogram));
    assert_eq!((stored.tag.as_str(), &stored.metadata), ("w", &None));
    let Some(Content::Histogram(stored)) = stored.content else {
        panic!("{stored:?}");
    };
    let statistics = [stored.min, stored.max, stored.num, stored.sum];
    assert_eq!(statistics, [-2.0, 4.0, 4.0, 4.0]);
    assert_eq!(stored.sum_squares, 22.0);
    let [first, last] = [-2.0, 4.0].map(Histogram::bucket_of);
    assert_eq!(stored.bucket_limit, Histogram::edges()[first..=last + 1]);
    let counts = histogram.buckets()[first..=last].iter();
    let counts: Vec<f64> = counts.map(|count| *count as f64).collect();
    assert_eq!(stored.bucket[0], 0.0);
    assert_eq!(stored.bucket[1..], counts);
    assert_eq!(counts.iter().sum::<f64>(), 4.0);
}

#[test]
fn histogram_reaches_the_outermost_buckets() {
    let stored = value(&Summary::new().histogram("w", &Histogram::of([-1e30, 1e30])));
    let Some(Content::Histogram(stored)) = stored.content else {
        panic!("{stored:?}");
    };
    assert_eq!(stored.bucket_limit, Histogram::edges());
    assert_eq!(stored.bucket.len(), Histogram::BUCKETS + 1);
    assert_eq!(stored.bucket[..2], [0.0, 1.0]);
    assert_eq!(stored.bucket[Histogram::BUCKETS], 1.0);
}

#[test]
fn histogram_without_values_is_one_empty_bucket() {
    for histogram in [
        Histogram::of(Vec::<f32>::new()),
        Histogram::of([f32::NAN]),
        Histogram::from_buckets(
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            0.0,
            &[0; Histogram::BUCKETS],
            0,
        )
        .unwrap(),
    ] {
        let stored = value(&Summary::new().histogram("w", &histogram));
        let expected = proto::HistogramProto {
            bucket_limit: vec![0.0],
            bucket: vec![0.0],
            ..proto::HistogramProto::default()
        };
        assert_eq!(stored.content, Some(Content::Histogram(expected)));
    }
}

#[test]
fn histogram_from_buckets_equals_that_of_the_values() {
    let values = [0.5, -3.0, 1e-20, 7e8, 0.5, f64::NAN];
    let expected = Histogram::of(values);
    let built = Histogram::from_buckets(
        expected.min(),
        expected.max(),
        expected.sum(),
        expected.sum_squares(),
        expected.buckets(),
        1,
    );
    assert_eq!(built, Ok(expected));
    // A single value is both the least and the largest.
    let counts = Histogram::of([0.5]).buckets().to_vec();
    let single = Histogram::from_buckets(0.5, 0.5, 0.5, 0.25, &counts, 0);
    assert_eq!(single, Ok(Histogram::of([0.5])));
}

#[test]
fn histogram_from_empty_buckets_keeps_how_many_were_not_finite() {
    let counts = vec![0; Histogram::BUCKETS];
    let built = Histogram::from_buckets(0.0, 0.0, 0.0, 0.0, &counts, 2);
    assert_eq!(built, Ok(Histogram::of([f64::NAN, f64::INFINITY])));
    assert_eq!(built.unwrap().non_finite(), 2);
}

#[test]
fn histogram_from_buckets_refuses_what_is_none() {
    let mut counts = vec![0; Histogram::BUCKETS];
    counts[7] = 1;
    let build = |min, max, sum, squares, counts: &[u64]| {
        Histogram::from_buckets(min, max, sum, squares, counts, 0).unwrap_err()
    };
    let short = build(0.0, 0.0, 0.0, 0.0, &counts[1..]);
    assert_eq!(short, HistogramError::Buckets { counts: 1547 });
    assert_eq!(
        build(2.0, 1.0, 0.0, 0.0, &counts),
        HistogramError::Order { min: 2.0, max: 1.0 }
    );
    for (place, name) in ["min", "max", "sum", "sum_squares"].into_iter().enumerate() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut s = [1.0; 4];
            s[place] = bad;
            let error = build(s[0], s[1], s[2], s[3], &counts);
            let HistogramError::NotFinite { statistic, value } = error else {
                panic!("{error:?}");
            };
            assert_eq!((statistic, value.to_bits()), (name, bad.to_bits()));
        }
    }
}

// ---- Images
// ---------------------------------------------------------------------------------------------------------

fn stored_image(image: &Image) -> proto::Image {
    let stored = value(&Summary::new().image("i", image));
    assert_eq!((stored.tag.as_str(), &stored.metadata), ("i", &None));
    match stored.content {
        Some(Content::Image(image)) => image,
        other => panic!("{other:?}"),
    }
}

#[test]
fn image_holds_its_pixels() {
    let pixels: Vec<u8> = (0..3 * 7 * 5).collect();
    let gray = Image::from_gray8(7, 5, &pixels[..35]).unwrap();
    let rgb = Image::from_rgb8(7, 5, &pixels).unwrap();
    let kinds = [
        (gray, 1, png::ColorType::Grayscale, &pixels[..35]),
        (rgb, 3, png::ColorType::Rgb, &pixels[..]),
    ];
    for (image, channels, color, pixels) in kinds {
        assert_eq!((image.width(), image.height()), (7, 5));
        assert_eq!(image.channels(), channels);
        let decoded = proto::decode_png(image.png());
        assert_eq!(decoded, (color, pixels.to_vec()));
        let stored = stored_image(&image);
        let sizes = [stored.height, stored.width, stored.colorspace];
        assert_eq!(sizes, [5, 7, channels.into()]);
        assert_eq!(stored.encoded_image_string, image.png());
        // The file itself makes the same image.
        assert_eq!(Image::from_png(image.png()).unwrap(), image);
    }
}

#[test]
fn image_refuses_what_is_none() {
    for (width, height) in [(0, 1), (1, 0), (0, 0), (1 << 31, 1), (1, u32::MAX)] {
        let error = Image::from_gray8(width, height, &[]).unwrap_err();
        assert!(
            matches!(error, ImageError::Size { width: w, height: h } if (w, h) == (width, height)),
            "{error}"
        );
    }
    for (pixels, wanted) in [(17, 18_u64), (19, 18), (0, 18), (6, 18)] {
        let error = Image::from_rgb8(3, 2, &vec![0; pixels]).unwrap_err();
        assert!(
            matches!(error, ImageError::Pixels { expected, actual } if (expected, actual) == (wanted, pixels)),
            "{error}"
        );
    }
    // A product beyond 64 bits would have wrapped to 0.
    let side = i32::MAX.cast_unsigned();
    let error = Image::from_rgb8(side, side, &[]).unwrap_err();
    assert!(matches!(error, ImageError::Pixels { expected, .. } if expected > 1 << 63));
}

#[test]
fn image_from_png_refuses_bytes_without_a_header() {
    let file = Image::from_gray8(3, 2, &[9; 6]).unwrap();
    // Signature, length and name of the chunk, 13 bytes of header, checksum.
    let header = 8 + 8 + 13 + 4;
    for length in 0..header {
        let error = Image::from_png(&file.png()[..length]).unwrap_err();
        assert!(matches!(error, ImageError::Decode { .. }), "{length}");
    }
    assert!(Image::from_png(&file.png()[..file.png().len()]).is_ok());
    let mut damaged = file.png().to_vec();
    damaged[18] ^= 1;
    assert!(Image::from_png(damaged).is_err());
}

#[test]
fn image_from_array_rounds_and_clips() {
    let values = [
        (0.0, 0),
        (1.0, 255),
        (-3.0, 0),
        (7.0, 255),
        (0.5, 128),
        (0.501_960_8, 128),
        (f32::INFINITY, 255),
        (f32::NEG_INFINITY, 0),
    ];
    let array = Array2::from_shape_fn((2, 4), |(row, column)| values[4 * row + column].0);
    let image = Image::from_gray_array(array.view()).unwrap();
    let expected: Vec<u8> = values.iter().map(|(_, byte)| *byte).collect();
    let (_, pixels) = proto::decode_png(image.png());
    assert_eq!(pixels, expected);
    assert_eq!((image.width(), image.height()), (4, 2));

    // Every byte comes back from its fraction.
    let all = Array2::from_shape_fn((1, 256), |(_, byte)| byte as f32 / 255.0);
    let image = Image::from_gray_array(all.view()).unwrap();
    let (_, pixels) = proto::decode_png(image.png());
    assert_eq!(pixels, (0..=255).collect::<Vec<u8>>());
}

#[test]
fn image_from_array_takes_one_to_four_channels_of_any_layout() {
    for channels in 0..=5 {
        // The transpose of an array is not contiguous.
        let array = Array3::from_shape_fn((channels, 3, 2), |(channel, column, row)| {
            (100 * channel + 10 * column + row) as f32 / 255.0
        });
        let result = Image::from_array(array.t());
        if !(1..=4).contains(&channels) {
            let error = result.unwrap_err();
            assert!(matches!(error, ImageError::Channels { channels: c } if c == channels));
            continue;
        }
        let image = result.unwrap();
        assert_eq!(image.channels() as usize, channels);
        assert_eq!(stored_image(&image).colorspace as usize, channels);
        let (_, pixels) = proto::decode_png(image.png());
        let expected: Vec<u8> = array
            .t()
            .iter()
            .map(|v| (v * 255.0).round() as u8)
            .collect();
        assert_eq!(pixels, expected);
        assert_eq!((image.width(), image.height()), (3, 2));
        assert_eq!(Image::from_png(image.png()).unwrap(), image);
    }
}

#[test]
fn image_from_array_says_where_nan_is() {
    let mut array = Array3::zeros((4, 3, 2));
    array[[2, 1, 1]] = f32::NAN;
    let error = Image::from_array(array.view()).unwrap_err();
    let ImageError::NotANumber {
        row,
        column,
        channel,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!([row, column, channel], [2, 1, 1]);
}

// ---- Texts, layouts, curves
// -----------------------------------------------------------------------------------------

#[test]
fn text_is_a_tensor_of_one_string() {
    let stored = value(&Summary::new().text("notes", "größe"));
    assert_eq!(stored.tag, "notes/text_summary");
    assert_eq!(plugin(&stored), ("text", &[][..]));
    let (dtype, sizes, tensor) = tensor(&stored);
    assert_eq!((dtype, sizes), (7, vec![1]));
    assert_eq!(tensor.string_val, ["größe".as_bytes()]);
}

#[test]
fn layout_holds_charts_in_order() {
    let series = |n: usize| ["v", "l", "u"].map(|name| format!("{name}{n}"));
    let names = [series(1), series(2)];
    let margins = names.each_ref().map(|[value, lower, upper]| Margin {
        value,
        lower,
        upper,
    });
    let layout = Layout::new()
        .category(Category::new("b").margin("bounds", &margins))
        .category(Category::new("a").multiline("lines", &["x.*", "y"]));
    let stored = value(&Summary::new().layout(&layout));
    assert_eq!(stored.tag, "custom_scalars__config__");
    assert_eq!(plugin(&stored), ("custom_scalars", &[][..]));
    let (dtype, sizes, tensor) = tensor(&stored);
    assert_eq!((dtype, sizes), (7, vec![]));
    let layout: proto::Layout = proto::same(&tensor.string_val[0]);
    let chart = |title: &str, content| proto::Chart {
        title: title.into(),
        content: Some(content),
    };
    let lines = proto::Multiline {
        tag: vec!["x.*".into(), "y".into()],
    };
    let bounds = proto::MarginChart {
        series: names
            .map(|[value, lower, upper]| proto::Series {
                value,
                lower,
                upper,
            })
            .into(),
    };
    let expected = [
        ("b", chart("bounds", proto::ChartContent::Margin(bounds))),
        ("a", chart("lines", proto::ChartContent::Multiline(lines))),
    ];
    let expected = expected.map(|(title, chart)| proto::Category {
        title: title.into(),
        chart: vec![chart],
    });
    assert_eq!(layout.category, expected);
}

#[test]
fn pr_curve_counts_by_threshold() {
    let labels = [false, true, true, false];
    let curve = PrCurve::of(&labels, &[0.1, 0.5, 1.0, 0.75], 5).unwrap();
    let stored = value(&Summary::new().pr_curve("c", &curve));
    let (name, content) = plugin(&stored);
    assert_eq!(name, "pr_curves");
    let content: proto::PrCurvePluginData = proto::same(content);
    assert_eq!(content.num_thresholds, 5);
    let (dtype, sizes, tensor) = tensor(&stored);
    assert_eq!((dtype, sizes), (1, vec![6, 5]));
    let third = 2.0 / 3.0;
    let expected = [
        [2.0, 2.0, 2.0, 1.0, 1.0],
        [2.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, 1.0, 1.0, 2.0],
        [0.0, 0.0, 0.0, 1.0, 1.0],
        [0.5, third, third, 0.5, 1.0],
        [1.0, 1.0, 1.0, 0.5, 0.5],
    ];
    assert_eq!(tensor.float_val, expected.concat());
}

#[test]
fn pr_curve_refuses_what_is_none() {
    let error = PrCurve::of(&[true; 3], &[0.5; 4], 9).unwrap_err();
    let expected = PrCurveError::Lengths {
        labels: 3,
        predictions: 4,
    };
    assert_eq!(error, expected);
    for thresholds in [0, 1, 10_001, usize::MAX] {
        let error = PrCurve::of(&[], &[], thresholds).unwrap_err();
        assert_eq!(error, PrCurveError::Thresholds { thresholds });
    }
    for bad in [f32::NAN, -0.001, 1.001, f32::INFINITY] {
        let error = PrCurve::of(&[true; 2], &[1.0, bad], 9).unwrap_err();
        let PrCurveError::Prediction { index, value } = error else {
            panic!("{error:?}");
        };
        assert_eq!((index, value.to_bits()), (1, bad.to_bits()));
    }
    for thresholds in [2, PrCurve::MAX_THRESHOLDS] {
        assert!(PrCurve::of(&[true, false], &[1.0, 0.0], thresholds).is_ok());
    }
}

// ---- Hyperparameters
// ------------------------------------------------------------------------------------------------

fn hparams_data(summary: &Summary, tag: &str) -> HParamsData {
    let stored = value(summary);
    assert_eq!((stored.tag.as_str(), &stored.content), (tag, &None));
    let (name, content) = plugin(&stored);
    assert_eq!(name, "hparams");
    let data: proto::HParamsPluginData = proto::same(content);
    data.data.unwrap()
}

fn some_hparams() -> HParams {
    HParams::new()
        .param("b", true)
        .param("nesterov", false)
        .param("a", "old")
        .param("f32", 0.1_f32)
        .param("f64", 0.1)
        .param("i64", -5_i64)
        .param("u32", 5_u32)
        .param("u64", u64::MAX)
        .param("usize", 7_usize)
        .param("a", "new")
        .metric("loss")
        .metric("accuracy")
        .metric("loss")
}

#[test]
fn hparams_experiment_names_parameters_and_metrics_once() {
    let summary = Summary::new().hparams_experiment(&some_hparams());
    let HParamsData::Experiment(experiment) = hparams_data(&summary, "_hparams_/experiment") else {
        panic!("no experiment");
    };
    let infos = experiment.hparam_infos.iter();
    let infos: Vec<_> = infos
        .map(|info| (info.name.as_str(), info.data_type))
        .collect();
    let expected = [
        ("b", 2),
        ("nesterov", 2),
        ("a", 1),
        ("f32", 3),
        ("f64", 3),
        ("i64", 3),
        ("u32", 3),
        ("u64", 3),
        ("usize", 3),
    ];
    assert_eq!(infos, expected);
    let metrics = experiment.metric_infos.into_iter();
    let tags: Vec<_> = metrics.map(|metric| metric.name.unwrap().tag).collect();
    assert_eq!(tags, ["loss", "accuracy"]);
}

#[test]
fn hparams_start_holds_the_last_value_of_each_parameter() {
    let hparams = some_hparams().start_time(17.5);
    let summary = Summary::new().hparams_start(&hparams);
    let HParamsData::Start(start) = hparams_data(&summary, "_hparams_/session_start_info") else {
        panic!("no start");
    };
    let expected = [
        ("a", Kind::Text("new".into())),
        ("b", Kind::Bool(true)),
        // The f32 as it is written, not as it is stored.
        ("f32", Kind::Number(0.1)),
        ("f64", Kind::Number(0.1)),
        ("i64", Kind::Number(-5.0)),
        ("nesterov", Kind::Bool(false)),
        ("u32", Kind::Number(5.0)),
        ("u64", Kind::Number(2.0_f64.powi(64))),
        ("usize", Kind::Number(7.0)),
    ];
    let expected: BTreeMap<_, _> = expected
        .map(|(name, kind)| {
            let value = proto::HParamValue { kind: Some(kind) };
            (name.to_owned(), value)
        })
        .into();
    assert_eq!((start.hparams, start.start_time_secs), (expected, 17.5));
}

#[test]
fn hparams_of_f32_that_are_not_numbers_stay_so() {
    let hparams = HParams::new()
        .param("nan", f32::NAN)
        .param("inf", f32::NEG_INFINITY)
        .start_time(f64::NAN);
    let stored = value(&Summary::new().hparams_start(&hparams));
    let (_, content) = plugin(&stored);
    let data = <proto::HParamsPluginData as prost::Message>::decode(content).unwrap();
    let Some(HParamsData::Start(start)) = data.data else {
        panic!("{data:?}");
    };
    let number = |name: &str| match start.hparams[name].kind {
        Some(Kind::Number(number)) => number,
        ref other => panic!("{other:?}"),
    };
    assert!(number("nan").is_nan());
    assert_eq!(number("inf"), f64::NEG_INFINITY);
    assert_eq!(start.start_time_secs, 0.0);
}

#[test]
fn hparams_end_holds_status_and_time() {
    let statuses = [
        SessionStatus::Unknown,
        SessionStatus::Success,
        SessionStatus::Failure,
        SessionStatus::Running,
    ];
    for (number, status) in (0..).zip(statuses) {
        for (given, time) in [(0.0, 0.0), (1.7e9, 1.7e9), (f64::INFINITY, 0.0)] {
            let summary = Summary::new().hparams_end_at(status, given);
            let data = hparams_data(&summary, "_hparams_/session_end_info");
            let expected = proto::SessionEndInfo {
                status: number,
                end_time_secs: time,
            };
            assert_eq!(data, HParamsData::End(expected));
        }
        let end = Summary::new().hparams_end(status);
        assert_eq!(end, Summary::new().hparams_end_at(status, 0.0));
    }
}

// ---- Several values, and graphs
// -------------------------------------------------------------------------------------

#[test]
fn summary_keeps_values_of_all_kinds_in_order() {
    let image = Image::from_gray8(1, 1, &[0]).unwrap();
    let summary = Summary::new()
        .scalar("s", f32::MIN_POSITIVE)
        .text("t", "x")
        .histogram("h", &Histogram::of([1.0_f32]))
        .image("i", &image)
        .hparams_end(SessionStatus::Success);
    let values = proto::values(&summary);
    let tags: Vec<_> = values.iter().map(|value| value.tag.as_str()).collect();
    let end = "_hparams_/session_end_info";
    assert_eq!(tags, ["s", "t/text_summary", "h", "i", end]);
    let scalar = Content::SimpleValue(f32::MIN_POSITIVE);
    assert_eq!(values[0].content, Some(scalar));
}

fn sizes(node: &proto::NodeDef) -> Vec<i64> {
    let shape = node
        .attr
        .get("_output_shapes")
        .and_then(|attr| attr.value.clone());
    let Some(proto::Attr::List(list)) = shape else {
        panic!("{node:?}");
    };
    let [shape] = <[_; 1]>::try_from(list.shape).unwrap();
    shape.dim.iter().map(|dim| dim.size).collect()
}

#[test]
fn graph_holds_nodes_with_inputs_and_attributes() {
    let graph = Graph::new().node(Node::new("a", "Placeholder")).node(
        Node::new("b", "Add")
            .input("a")
            .input("")
            .attribute("z", "last")
            .attribute("A", "first")
            .attribute("z", "Z")
            .shape(&[None, Some(0), Some(u64::MAX)]),
    );
    let nodes: Vec<_> = graph
        .nodes()
        .iter()
        .map(|node| (node.name(), node.op(), node.inputs().concat()))
        .collect();
    let inputs = ["", "a"].map(str::to_owned);
    let [none, of_b] = inputs;
    assert_eq!(nodes, [("a", "Placeholder", none), ("b", "Add", of_b)]);
    let stored: proto::GraphDef = proto::same(&graph.encoded());
    assert_eq!(stored.versions.unwrap().producer, 22);
    let [a, b] = <[_; 2]>::try_from(stored.node).unwrap();
    assert_eq!((a.name.as_str(), a.op.as_str()), ("a", "Placeholder"));
    assert!(a.input.is_empty() && a.attr.is_empty());
    assert_eq!((b.name.as_str(), b.op.as_str()), ("b", "Add"));
    assert_eq!(b.input, ["a", ""]);
    assert_eq!(sizes(&b), [-1, 0, i64::MAX]);
    let keys: Vec<_> = b.attr.keys().map(String::as_str).collect();
    assert_eq!(keys, ["A", "_output_shapes", "z"]);
    let z = proto::Attr::Text(b"Z".to_vec());
    assert_eq!(b.attr["z"].value, Some(z));
}

/// Two layers, from the examples to the loss.
fn network() -> Graph {
    Graph::new()
        .node(Node::new("x", "Placeholder").shape(&[None, Some(5)]))
        .node(Node::new("layer1/w", "Variable").shape(&[Some(5), Some(7)]))
        .node(Node::new("layer1/b", "Variable").shape(&[Some(7)]))
        .node(
            Node::new("layer1/matmul", "MatMul")
                .input("x")
                .input("layer1/w")
                .shape(&[None, Some(7)]),
        )
        .node(
            Node::new("layer1/add_bias", "BiasAdd")
                .input("layer1/matmul")
                .input("layer1/b")
                .shape(&[None, Some(7)]),
        )
        .node(
            Node::new("layer1/activation", "LeakyRelu")
                .input("layer1/add_bias")
                .attribute("slope", "0.25")
                .shape(&[None, Some(7)]),
        )
        .node(Node::new("layer2/w", "Variable").shape(&[Some(7), Some(3)]))
        .node(Node::new("layer2/b", "Variable").shape(&[Some(3)]))
        .node(
            Node::new("layer2/matmul", "MatMul")
                .input("layer1/activation")
                .input("layer2/w")
                .shape(&[None, Some(3)]),
        )
        .node(
            Node::new("layer2/add_bias", "BiasAdd")
                .input("layer2/matmul")
                .input("layer2/b")
                .shape(&[None, Some(3)]),
        )
        .node(Node::new("y", "Placeholder").shape(&[None, Some(3)]))
        .node(
            Node::new("loss", "MeanSquaredError")
                .input("layer2/add_bias")
                .input("y")
                .shape(&[]),
        )
}

#[test]
fn graph_of_a_network_leads_from_the_examples_to_the_loss() {
    let graph = network();
    let stored: proto::GraphDef = proto::same(&graph.encoded());
    let described: Vec<_> = stored
        .node
        .iter()
        .map(|node| {
            let inputs = node.input.join(" ");
            format!("{} {} {:?} ({inputs})", node.name, node.op, sizes(node))
        })
        .collect();
    let expected = [
        "x Placeholder [-1, 5] ()",
        "layer1/w Variable [5, 7] ()",
        "layer1/b Variable [7] ()",
        "layer1/matmul MatMul [-1, 7] (x layer1/w)",
        "layer1/add_bias BiasAdd [-1, 7] (layer1/matmul layer1/b)",
        "layer1/activation LeakyRelu [-1, 7] (layer1/add_bias)",
        "layer2/w Variable [7, 3] ()",
        "layer2/b Variable [3] ()",
        "layer2/matmul MatMul [-1, 3] (layer1/activation layer2/w)",
        "layer2/add_bias BiasAdd [-1, 3] (layer2/matmul layer2/b)",
        "y Placeholder [-1, 3] ()",
        "loss MeanSquaredError [] (layer2/add_bias y)",
    ];
    assert_eq!(described, expected);
    let slope = proto::Attr::Text(b"0.25".to_vec());
    assert_eq!(stored.node[5].attr["slope"].value, Some(slope));
}
