//! How lengths are spread.

/// The middle and the ends of some lengths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) p50: usize,
    pub(super) p90: usize,
    pub(super) p99: usize,
    pub(super) longest: usize,
}

/// Sorts lengths. A percentile is the smallest length that so many of a hundred do not exceed.
pub(super) fn of(mut lengths: Vec<usize>) -> Spread {
    lengths.sort_unstable();
    let at = |percent: usize| {
        let place = (lengths.len() * percent).div_ceil(100);
        lengths.get(place.saturating_sub(1)).copied().unwrap_or(0)
    };
    Spread {
        count: lengths.len(),
        p50: at(50),
        p90: at(90),
        p99: at(99),
        longest: at(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lengths_that_occur() {
        let spread = of((1..=200).rev().collect());
        let (count, p50, p90, p99, longest) = (200, 100, 180, 198, 200);
        assert_eq!(
            spread,
            Spread {
                count,
                p50,
                p90,
                p99,
                longest
            }
        );
        assert_eq!(of(vec![7]).p50, 7);
        assert_eq!(of(Vec::new()).longest, 0);
    }
}
