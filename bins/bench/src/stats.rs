//! Robust averages: one interrupted round must not move a figure.

/// The middle value; between the two middle ones when their number is even. 0 for no values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match values.get(upper) {
        None => 0.0,
        Some(middle) if values.len() % 2 == 1 => *middle,
        Some(above) => f64::midpoint(values[upper - 1], *above),
    }
}

/// The median distance from the median.
pub(crate) fn median_deviation(values: &[f64]) -> f64 {
    let middle = median(values.iter().copied());
    median(values.iter().map(|value| (value - middle).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([7.0]), 7.0);
        assert_eq!(median([9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn one_wild_value_moves_neither() {
        let values = [1.0, 2.0, 3.0, 4.0, 1000.0];
        assert_eq!(median(values), 3.0);
        assert_eq!(median_deviation(&values), 1.0);
    }
}
