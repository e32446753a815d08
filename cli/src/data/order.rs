//! Names of classes and categories, and their order.

/// A number as the name of a class or category.
pub(super) fn number_name(value: f64) -> String {
    // −0 is 0.
    (value + 0.0).to_string()
}

/// Numbers by size where all are numbers, and by alphabet otherwise.
pub(super) fn in_natural_order(mut names: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        None => names.sort_unstable(),
        Some(numbers) => {
            let mut pairs: Vec<_> = numbers.into_iter().zip(names).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
            names = pairs.into_iter().map(|(_, name)| name).collect();
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_size_and_texts_by_alphabet() {
        let order = |names: &[&str]| in_natural_order(names.iter().map(|n| (*n).into()).collect());
        assert_eq!(order(&["10", "9", "-1", "2.5"]), ["-1", "2.5", "9", "10"]);
        assert_eq!(order(&["b", "10", "9", "a"]), ["10", "9", "a", "b"]);
    }
}
