//! Which examples go into a part, and a split that moves them.

use std::collections::BTreeMap;

use fastrand::Rng;
use ndarray::Array2;

/// Which of `examples` examples are a part that is drawn at random: each is as likely as any other,
/// the same ones for the same `seed`, `share` of all rounded to a whole number.
///
/// ```
/// let is_taken = wgpu_linear::train::taken_at_random(100, 0.2, 1);
/// assert_eq!(is_taken.iter().filter(|is_taken| **is_taken).count(), 20);
/// ```
///
/// # Panics
/// Where `share` is not within 0 and 1.
#[must_use]
pub fn taken_at_random(examples: usize, share: f64, seed: u64) -> Vec<bool> {
    check_share(share);
    let order: Vec<_> = (0..examples).collect();
    let taken = (share * examples as f64).round() as usize;
    let mut is_taken = vec![false; examples];
    take(order, taken, &mut Rng::with_seed(seed), &mut is_taken);
    is_taken
}

/// Which of the examples with these labels are a part that is drawn at random: `share` of each
/// label, as far as whole numbers allow; none of a label that is there once.
///
/// ```
/// let labels: Vec<u32> = (0..100).map(|example| u32::from(example < 10)).collect();
/// let is_taken = wgpu_linear::train::taken_by_class(&labels, 0.5, 1);
/// assert_eq!(is_taken[..10].iter().filter(|is_taken| **is_taken).count(), 5);
/// ```
///
/// # Panics
/// Where `share` is not within 0 and 1.
#[must_use]
pub fn taken_by_class(labels: &[u32], share: f64, seed: u64) -> Vec<bool> {
    check_share(share);
    let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        classes.entry(*label).or_default().push(index);
    }
    let mut classes: Vec<_> = classes.into_values().collect();
    classes.retain(|indices| indices.len() > 1);
    let mut random = Rng::with_seed(seed);
    // Chance decides between equal remainders.
    random.shuffle(&mut classes);
    let sizes: Vec<_> = classes.iter().map(Vec::len).collect();
    let mut is_taken = vec![false; labels.len()];
    for (indices, taken) in classes.into_iter().zip(largest_remainder(&sizes, share)) {
        take(indices, taken, &mut random, &mut is_taken);
    }
    is_taken
}

fn check_share(share: f64) {
    assert!((0.0..=1.0).contains(&share), "a share is within 0 and 1");
}

/// Marks as many of the indices as are to be taken, each with the same probability.
fn take(mut indices: Vec<usize>, taken: usize, random: &mut Rng, is_taken: &mut [bool]) {
    random.shuffle(&mut indices);
    for index in &indices[..taken] {
        is_taken[*index] = true;
    }
}

/// `share` of each size in whole numbers whose sum is that share of all: rounded down, and one more
/// where the remainder is largest; of equal ones, the first.
fn largest_remainder(sizes: &[usize], share: f64) -> Vec<usize> {
    let wanted = |size: usize| share * size as f64;
    let mut taken: Vec<_> = sizes.iter().map(|size| wanted(*size) as usize).collect();
    let all = wanted(sizes.iter().sum()).round() as usize;
    let missing = all.saturating_sub(taken.iter().sum());
    let remainder = |class: usize| wanted(sizes[class]).fract();
    let mut order: Vec<_> = (0..sizes.len()).collect();
    order.sort_by(|a, b| remainder(*b).total_cmp(&remainder(*a)));
    for class in order.into_iter().take(missing) {
        taken[class] = (taken[class] + 1).min(sizes[class]);
    }
    taken
}

/// (the other rows, those that are taken): the former stay where they are in memory, as far to the
/// front as there is room, and only the latter are copied.
pub(super) fn split_rows(rows: Array2<f32>, is_taken: &[bool]) -> (Array2<f32>, Array2<f32>) {
    let (width, len) = (rows.ncols(), rows.len());
    let rows = if rows.is_standard_layout() {
        rows
    } else {
        rows.as_standard_layout().into_owned()
    };
    // An array that was made smaller in place has its elements within a larger vector.
    let (mut rest, offset) = rows.into_raw_vec_and_offset();
    rest.drain(..offset.unwrap_or(0));
    rest.truncate(len);
    let taken = split_off(&mut rest, width, is_taken);
    let count = is_taken.iter().filter(|is_taken| **is_taken).count();
    // They have as many elements as that.
    let matrix = |rows, elements| Array2::from_shape_vec((rows, width), elements);
    (
        matrix(is_taken.len() - count, rest).unwrap_or_default(),
        matrix(count, taken).unwrap_or_default(),
    )
}

/// Removes the rows of `width` elements that are taken, and gives them.
pub(super) fn split_off<T: Copy>(rows: &mut Vec<T>, width: usize, is_taken: &[bool]) -> Vec<T> {
    let count = is_taken.iter().filter(|is_taken| **is_taken).count();
    let mut taken = Vec::with_capacity(count * width);
    let mut kept = 0;
    for (row, is_taken) in is_taken.iter().enumerate() {
        let elements = row * width..(row + 1) * width;
        if *is_taken {
            taken.extend_from_slice(&rows[elements]);
        } else {
            rows.copy_within(elements, kept);
            kept += width;
        }
    }
    rows.truncate(kept);
    rows.shrink_to_fit();
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_remainder_gives_whole_numbers_near_the_share() {
        for (sizes, share, expected) in [
            (&[10, 20, 30][..], 0.5, &[5, 10, 15][..]),
            // 3.3, 1.5, 1.2 of 6: the second has the largest remainder.
            (&[11, 5, 4], 0.3, &[3, 2, 1]),
            // 0.4 each of 1.2: one goes to the first.
            (&[2, 2, 2], 0.2, &[1, 0, 0]),
            // 28.999999999999996
            (&[100], 0.29, &[29]),
            (&[7, 3], 0.0, &[0, 0]),
            (&[7, 3], 1.0, &[7, 3]),
            (&[], 0.5, &[]),
        ] {
            assert_eq!(largest_remainder(sizes, share), expected, "{sizes:?}");
        }
    }
}
