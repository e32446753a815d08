//! What a network is explained by: importance, confusions, worst errors, baselines, calibration.

use ndarray::{Array2, array, s};
use wgpu_linear::model::{Loss, MlpConfig, Model, Targets};
use wgpu_linear::reference::Mlp;
use wgpu_linear::train::{Dataset, Metric};
use wgpu_linear_cli::explain::{
    Confusion, Effort, Importance, Judged, blocks_of_picture, calibration, mean_baseline,
    most_frequent, permutation_importance, probabilities, top_confusions, worst_errors,
};

/// Classes that follow from the column 2 of 5; the columns 3 and 4 are one input in two parts that
/// are only right together, which the classes do not depend on.
fn made_up(rows: usize) -> Dataset {
    let mut random = fastrand::Rng::with_seed(3);
    let x = Array2::from_shape_fn((rows, 5), |_| random.f32() * 2.0 - 1.0);
    let labels = x.column(2).iter().map(|x| u32::from(*x > 0.0)).collect();
    Dataset::new(x, labels).unwrap()
}

/// A network that says class 1 where the column 2 is positive, exactly.
fn knowing() -> Mlp<f32> {
    let mut mlp = Mlp::new(MlpConfig::new(&[5, 2])).unwrap();
    let mut parameters = mlp.parameters().unwrap();
    parameters[0].w.fill(0.0);
    parameters[0].w[[2, 1]] = 4.0;
    parameters[0].b.fill(0.0);
    mlp.set_parameters(&parameters).unwrap();
    mlp
}

fn groups() -> Vec<(String, Vec<usize>)> {
    let group = |name: &str, columns: &[usize]| (name.to_owned(), columns.to_vec());
    vec![
        group("a", &[0]),
        group("b", &[1]),
        group("c", &[2]),
        group("d", &[3, 4]),
    ]
}

fn importance(data: &Dataset, effort: Effort, seed: u64) -> Importance {
    let metric = Metric::accuracy();
    permutation_importance(&mut knowing(), data, &groups(), &metric, effort, seed).unwrap()
}

#[test]
fn importance_finds_the_one_column_that_counts() {
    let data = made_up(400);
    let before = data.clone();
    let found = importance(&data, Effort::default(), 1);
    assert_eq!(data, before);
    assert_eq!(found.unshuffled, 1.0);
    assert_eq!((found.rows, found.rows_of, found.repeats), (400, 400, 5));
    // A shuffled column is right by chance half of the time.
    assert!((found.inputs[2].drop - 0.5).abs() <= 0.08);
    assert!(found.inputs[2].deviation > 0.0 && found.inputs[2].deviation <= 0.05);
    for noise in [0, 1, 3] {
        assert_eq!(
            (found.inputs[noise].drop, found.inputs[noise].deviation),
            (0.0, 0.0)
        );
    }
    let names: Vec<_> = found
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
}

#[test]
fn importance_is_the_same_for_the_same_seed() {
    let data = made_up(300);
    let effort = Effort {
        rows: 100,
        ..Effort::default()
    };
    let first = importance(&data, effort, 7);
    assert_eq!(importance(&data, effort, 7), first);
    assert_ne!(importance(&data, effort, 8), first);
    assert_eq!((first.rows, first.rows_of), (100, 300));
}

#[test]
fn importance_states_what_it_left_out() {
    let effort = Effort {
        groups: 3,
        predictions: 7,
        ..Effort::default()
    };
    let found = importance(&made_up(50), effort, 1);
    assert_eq!(
        (found.inputs.len(), found.left_out, found.repeats),
        (3, 1, 2)
    );
    let none = Effort {
        predictions: 0,
        repeats: 0,
        ..Effort::default()
    };
    assert_eq!(importance(&made_up(50), none, 1).repeats, 1);
}

/// The difference of two columns that are equal counts for nothing where both move together, and
/// for much where they do not.
#[test]
fn importance_shuffles_a_group_together() {
    let mut random = fastrand::Rng::with_seed(5);
    let column: Vec<f32> = (0..200).map(|_| random.f32()).collect();
    let x = Array2::from_shape_fn((200, 2), |(row, _)| column[row]);
    let y = Array2::from_shape_fn((200, 1), |(row, _)| row as f32 / 200.0);
    let data = Dataset::with_values(x, y).unwrap();
    let config = MlpConfig {
        loss: Loss::MeanSquaredError,
        ..MlpConfig::new(&[2, 1])
    };
    let mut mlp = Mlp::<f32>::new(config).unwrap();
    let mut parameters = mlp.parameters().unwrap();
    parameters[0].w.assign(&array![[1.0], [-1.0]]);
    mlp.set_parameters(&parameters).unwrap();
    let groups = [("both".to_owned(), vec![0, 1]), ("one".to_owned(), vec![0])];
    let found = permutation_importance(
        &mut mlp,
        &data,
        &groups,
        &Metric::r2(),
        Effort::default(),
        1,
    );
    let inputs = found.unwrap().inputs;
    assert_eq!(inputs[0].drop, 0.0);
    assert!(inputs[1].drop > 0.5);
}

#[test]
fn importance_refuses_a_column_that_is_not_there() {
    let groups = [("far".to_owned(), vec![0, 5])];
    let metric = Metric::accuracy();
    let effort = Effort::default();
    let refused = permutation_importance(&mut knowing(), &made_up(9), &groups, &metric, effort, 1);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("the inputs of the groups")
    );
}

#[test]
fn blocks_cover_a_picture_once() {
    for (width, height, most, blocks) in
        [(28, 28, 64, 49), (8, 8, 64, 64), (5, 3, 4, 2), (1, 1, 1, 1)]
    {
        let (groups, found) = blocks_of_picture(width, height, most);
        assert_eq!((groups.len(), found.len()), (blocks, blocks));
        let mut pixels: Vec<usize> = groups
            .iter()
            .flat_map(|(_, pixels)| pixels.clone())
            .collect();
        pixels.sort_unstable();
        assert_eq!(pixels, (0..width * height).collect::<Vec<_>>());
        for ((_, pixels), [x, y, across, down]) in groups.iter().zip(found) {
            assert_eq!((pixels[0], pixels.len()), (y * width + x, across * down));
        }
    }
    let name = |width, index| blocks_of_picture(width, width, 64).0.swap_remove(index).0;
    assert_eq!(name(28, 8), "columns 5–8, rows 5–8");
    assert_eq!(name(8, 9), "column 2, row 2");
}

#[test]
fn confusion_counts_what_the_accuracy_counts() {
    let outputs = array![
        [1.0, 0.0, 0.0],
        [0.0, 2.0, 1.0],
        [2.0, 2.0, 0.0],
        [f32::NAN, 1.0, 0.0],
        [0.0, 1.0, 2.0]
    ];
    let labels = [0, 2, 0, 1, 2];
    let confusion = Confusion::of(outputs.view(), &labels);
    let accuracy = Metric::accuracy().measure(outputs.view(), Targets::Classes(&labels));
    assert_eq!(confusion.hits() as f32 / confusion.total() as f32, accuracy);
    assert_eq!(confusion.count(0, 1), 1);
    assert_eq!(confusion.count(1, 0), 1);
    let counts = Array2::from_shape_fn((3, 3), |(a, p)| confusion.count(a, p));
    assert_eq!(Confusion::of_counts(counts.view()), confusion);
    let scores = confusion.scores();
    assert_eq!(
        (scores[0].precision, scores[0].recall),
        (Some(0.5), Some(0.5))
    );
    assert_eq!((scores[1].f1, scores[1].support), (Some(0.0), 1));
    assert_eq!(
        (scores[2].precision, scores[2].recall),
        (Some(1.0), Some(0.5))
    );
    assert_eq!(scores[2].f1, Some(2.0 / 3.0));
    let empty = Confusion::of_pairs(1, []).scores();
    assert_eq!(
        (empty[0].precision, empty[0].recall, empty[0].f1),
        (None, None, None)
    );
}

#[test]
fn top_confusions_are_the_most_frequent_mistakes() {
    let pairs = [(1, 1), (1, 1), (1, 1), (0, 2), (2, 0), (2, 0), (1, 0)];
    let confusion = Confusion::of_pairs(3, pairs);
    let worst: Vec<_> = top_confusions(&confusion, 2)
        .iter()
        .map(|pair| (pair.actual, pair.predicted, pair.count))
        .collect();
    assert_eq!(worst, [(2, 0, 2), (0, 2, 1)]);
    assert_eq!(top_confusions(&confusion, 9).len(), 3);
}

#[test]
fn worst_errors_come_by_their_loss() {
    let outputs = array![
        [3.0, 0.0],
        [0.0, 3.0],
        [0.0, 1.0],
        [f32::NAN, 0.0],
        [0.0, 3.0]
    ];
    let worst = worst_errors(outputs.view(), Targets::Classes(&[0, 0, 0, 0, u32::MAX]), 9);
    let order: Vec<_> = worst.iter().map(|error| error.example).collect();
    assert_eq!(order, [3, 1, 2, 0]);
    assert_eq!(worst[0].loss, f64::INFINITY);
    let expected = (1.0 + 3.0_f64.exp()).ln();
    assert!((worst[1].loss - expected).abs() <= 1e-12);
    let Judged::Class {
        actual,
        predicted,
        confidence,
    } = worst[1].judged
    else {
        panic!("classes");
    };
    assert_eq!((actual, predicted), (0, 1));
    assert!((confidence - 1.0 / (1.0 + (-3.0_f64).exp())).abs() <= 1e-12);
}

#[test]
fn worst_errors_of_values_come_by_their_squares() {
    let outputs = array![[1.0, 2.0], [0.0, 0.0], [5.0, 5.0]];
    let y = array![[1.0, 2.5], [3.0, 0.0], [5.0, 5.0]];
    let worst = worst_errors(outputs.view(), Targets::Values(y.view()), 2);
    assert_eq!((worst[0].example, worst[0].loss), (1, 4.5));
    assert_eq!((worst[1].example, worst[1].loss), (0, 0.125));
    let Judged::Values { actual, predicted } = &worst[0].judged else {
        panic!("values");
    };
    assert_eq!((actual, predicted), (&vec![3.0, 0.0], &vec![0.0, 0.0]));
}

#[test]
fn baselines_are_those_of_the_training_rows() {
    let found = most_frequent(&[2, 2, 0, 1], &[0, 2, 2, 2]).unwrap();
    assert_eq!((found.class, found.accuracy), (2, 0.75));
    assert_eq!(most_frequent(&[], &[0]), None);
    assert_eq!(most_frequent(&[0], &[]), None);
    let train = array![[1.0, 10.0], [3.0, 10.0]];
    let test = array![[2.0, 10.0], [6.0, 12.0]];
    let found = mean_baseline(train.view(), test.view()).unwrap();
    assert_eq!(found.mean_absolute_error, 1.5);
    assert!((found.root_mean_squared_error - 5.0_f64.sqrt()).abs() <= 1e-12);
    assert_eq!(mean_baseline(train.slice(s![..0, ..]), test.view()), None);
}

#[test]
fn calibration_compares_confidence_with_truth() {
    // Two answers of 80 %, one of which is right; one of 50.0…1 %, which is right.
    let sure = 4.0_f32.ln();
    let logits = array![[sure, 0.0], [sure, 0.0], [1e-6, 0.0]];
    let found = calibration(logits.view(), &[0, 1, 0]).unwrap();
    assert_eq!(found.bins.len(), 2);
    assert!((found.bins[1].confidence - 0.8).abs() <= 1e-6);
    assert_eq!((found.bins[1].accuracy, found.bins[1].count), (0.5, 2));
    assert!((found.expected_error - (2.0 * 0.3 + 0.5) / 3.0).abs() <= 1e-6);
    assert_eq!(calibration(logits.slice(s![..0, ..]), &[]), None);
    assert_eq!(calibration(array![[f32::NAN, 0.0]].view(), &[0]), None);
    let sum: f64 = probabilities(array![800.0, -3.0, 799.0].view())
        .iter()
        .sum();
    assert!((sum - 1.0).abs() <= 1e-12);
}
