//! Splits that keep the shares of classes, and splits that move the data.

use std::collections::BTreeSet;

use ndarray::{Array2, ShapeBuilder, s};
use wgpu_linear::train::Dataset;

/// Examples that can be told apart, whose class follows from their number.
fn classes(examples: usize, class: impl Fn(usize) -> u32) -> Dataset {
    let x = Array2::from_shape_fn((examples, 3), |(i, j)| (3 * i + j) as f32);
    Dataset::new(x, (0..examples).map(class).collect()).unwrap()
}

fn values(examples: usize) -> Dataset {
    let x = Array2::from_shape_fn((examples, 3), |(i, j)| (3 * i + j) as f32);
    let y = Array2::from_shape_fn((examples, 2), |(i, j)| -((3 * i + j) as f32));
    Dataset::with_values(x, y).unwrap()
}

/// Which examples of the whole a part has.
fn numbers(part: &Dataset) -> Vec<usize> {
    let x = part.x();
    for (row, example) in x.rows().into_iter().zip(0..) {
        assert_eq!(row[1] - row[0], 1.0, "row {example}");
        assert_eq!(row[2] - row[0], 2.0, "row {example}");
    }
    x.column(0).iter().map(|x| *x as usize / 3).collect()
}

fn count(part: &Dataset, class: u32) -> usize {
    part.labels()
        .iter()
        .filter(|label| **label == class)
        .count()
}

/// Of 200 examples 140 of class 0, 50 of class 4, 9 of class 2, and one of class 7.
fn uneven(i: usize) -> u32 {
    match i {
        100 => 7,
        _ if i % 4 == 1 => 4,
        _ if i % 20 == 3 && i < 180 => 2,
        _ => 0,
    }
}

#[test]
fn split_stratified_keeps_the_shares_of_classes() {
    let all = classes(200, uneven);
    assert_eq!(
        [0, 2, 4, 7].map(|class| count(&all, class)),
        [140, 9, 50, 1]
    );
    let (rest, part) = all.split_stratified(0.3, 5);
    // 42, 2.7 and 15 of 59.7 in all; the class with one example has none.
    assert_eq!(
        [0, 2, 4, 7].map(|class| count(&part, class)),
        [42, 3, 15, 0]
    );
    assert_eq!(
        [0, 2, 4, 7].map(|class| count(&rest, class)),
        [98, 6, 35, 1]
    );
    let (of_rest, of_part) = (numbers(&rest), numbers(&part));
    assert!(of_rest.is_sorted() && of_part.is_sorted(), "in their order");
    let both: BTreeSet<_> = of_rest.iter().chain(&of_part).copied().collect();
    assert_eq!(both, (0..200).collect());
    for set in [&rest, &part] {
        for (number, label) in numbers(set).into_iter().zip(set.labels()) {
            assert_eq!(*label, uneven(number), "a row with the label of another");
        }
    }
    // Neither the first of a class nor every third.
    let steps: BTreeSet<_> = of_part.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(steps.len() > 3, "{of_part:?}");
    assert_eq!(numbers(&all.split_stratified(0.3, 5).1), of_part);
    assert_ne!(numbers(&all.split_stratified(0.3, 6).1), of_part);
}

#[test]
fn split_stratified_takes_the_share_of_all_in_whole_examples() {
    for (share, taken) in [(0.0, 0), (1.0, 199), (0.1, 20), (0.0025, 0), (0.026, 5)] {
        let (rest, part) = classes(200, uneven).split_stratified(share, 1);
        assert_eq!([rest.len(), part.len()], [200 - taken, taken], "{share}");
    }
    // A tenth of ten classes of five: half an example each, decided by chance.
    let fives = classes(50, |i| (i % 10) as u32);
    let chosen = |seed| -> BTreeSet<u32> {
        let part = fives.split_stratified(0.1, seed).1;
        assert_eq!(part.len(), 5);
        part.labels().iter().copied().collect()
    };
    assert_eq!(chosen(1).len(), 5, "one of each at most");
    assert_ne!(chosen(1), chosen(2));
    let single = classes(20, |i| i as u32);
    assert!(single.split_stratified(0.5, 0).1.is_empty());
    assert!(single.select(&[]).split_stratified(0.5, 0).1.is_empty());
}

#[test]
fn split_stratified_takes_values_at_random() {
    let all = values(50);
    assert_eq!(all.split_stratified(0.3, 8), all.split_random(0.3, 8));
}

#[test]
fn splits_that_move_give_what_splits_that_copy_give() {
    for all in [classes(200, uneven), values(200), classes(0, uneven)] {
        for share in [0.0, 0.3, 1.0] {
            let moved = all.clone().into_split_random(share, 3);
            assert_eq!(moved, all.split_random(share, 3));
            let moved = all.clone().into_split_stratified(share, 3);
            assert_eq!(moved, all.split_stratified(share, 3));
        }
        let moved = all.clone().into_split(|i| i.is_multiple_of(7));
        assert_eq!(moved, all.split_every(7));
    }
}

#[test]
fn splits_that_move_take_any_layout() {
    let standard = values(30);
    let expected = standard.split_every(4);
    let (x, y) = (standard.x(), standard.values().unwrap());
    let mut columns = Array2::zeros((30, 3).f());
    columns.assign(x);
    // Smaller in place: the rows lie in the midst of a larger vector.
    let mut inner = Array2::from_elem((40, 3), f32::NAN);
    inner.slice_mut(s![5..35, ..]).assign(x);
    inner.slice_collapse(s![5..35, ..]);
    for x in [columns, inner] {
        let all = Dataset::with_values(x, y.clone()).unwrap();
        assert_eq!(all.into_split(|i| i % 4 == 0), expected);
    }
    let empty = Dataset::new(Array2::zeros((4, 0)), vec![1, 2, 3, 4]).unwrap();
    let (rest, part) = empty.into_split(|i| i == 2);
    assert_eq!((rest.x().dim(), part.x().dim()), ((3, 0), (1, 0)));
    assert_eq!((rest.labels(), part.labels()), (&[1, 2, 4][..], &[3][..]));
}
