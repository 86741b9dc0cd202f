//! How much more was let in than a rate allows.

/// The worst stretch of time: what was let in then, in parts of what the rate lets in, and when the stretch ended.
///
/// One gateway lets a minute's worth in at once, and as much in each minute. `taken` is in the order of time.
pub(super) fn excess(taken: &[(f64, f64)], per_minute: f64) -> (f64, f64) {
    let mut worst = (0.0, 0.0);
    for (at, (begun, _)) in taken.iter().enumerate() {
        let mut sum = 0.0;
        for (moment, units) in &taken[at..] {
            sum += units;
            let part = sum / (per_minute * (1.0 + (moment - begun) / 60.0));
            if part > worst.0 {
                worst = (part, *moment);
            }
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_is_no_excess_and_one_more_is() {
        let at_once = |n: usize| vec![(5.0, 1.0); n];
        assert_eq!(excess(&at_once(10), 10.0), (1.0, 5.0));
        assert_eq!(excess(&at_once(12), 10.0), (1.2, 5.0));
        let mut after_a_minute = at_once(10);
        after_a_minute.extend(vec![(65.0, 1.0); 10]);
        assert_eq!(excess(&after_a_minute, 10.0).0, 1.0);
        after_a_minute.extend(vec![(65.0, 1.0); 2]);
        assert_eq!(excess(&after_a_minute, 10.0).0, 1.2);
    }
}
