//! A measured figure, and how figures are shown.

use serde::Serialize;

/// One measured figure.
///
/// ```json
/// {"name": "decode_200B", "value": 7.1e6, "unit": "frames/s", "reference": 1.4e6, "ratio": 5.1}
/// ```
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// Ours, in `unit`.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it is compared with, in the same unit, measured in the same rounds.
    pub(crate) reference: Option<f64>,
    /// Value over reference: the median over the rounds, so not exactly the quotient of the two medians.
    pub(crate) ratio: Option<f64>,
    /// Median deviation of the ratio. For people only.
    #[serde(skip)]
    pub(crate) deviation: Option<f64>,
    /// What the reference is, and what is aimed at. For people only.
    #[serde(skip)]
    pub(crate) against: &'static str,
}

impl Figure {
    /// One that is compared with nothing.
    pub(crate) fn alone(name: String, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            reference: None,
            ratio: None,
            deviation: None,
            against: "",
        }
    }
}

/// How figures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// One JSON object per line.
    Json,
}

/// Prints figures to the standard output.
pub(crate) fn print(figures: &[Figure], format: Format) -> Result<(), serde_json::Error> {
    match format {
        Format::Json => {
            for figure in figures {
                println!("{}", serde_json::to_string(figure)?);
            }
        }
        Format::Table => {
            println!(
                "{:<33} {:>13} {:<18} {:>13} {:>7} {:>6}  reference",
                "figure", "value", "unit", "reference", "ratio", "±"
            );
            for figure in figures {
                println!("{}", row(figure));
            }
        }
    }
    Ok(())
}

fn row(figure: &Figure) -> String {
    let maybe = |value: Option<f64>, shown: fn(f64) -> String| value.map(shown).unwrap_or_default();
    let row = format!(
        "{:<33} {:>13} {:<18} {:>13} {:>7} {:>6}  {}",
        figure.name,
        amount(figure.value),
        figure.unit,
        maybe(figure.reference, amount),
        maybe(figure.ratio, |ratio| format!("{ratio:.2}")),
        maybe(figure.deviation, |deviation| format!("{deviation:.2}")),
        figure.against
    );
    row.trim_end().to_owned()
}

/// Four significant digits or so, and thousands apart.
pub(crate) fn amount(value: f64) -> String {
    if value.abs() < 1000.0 {
        let decimals = if value.abs() < 10.0 { 2 } else { 1 };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", &*digits),
    };
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_readable() {
        for (value, shown) in [
            (0.0, "0.00"),
            (1.234, "1.23"),
            (56.78, "56.8"),
            (999.94, "999.9"),
            (1000.0, "1 000"),
            (1_234_567.8, "1 234 568"),
            (-12_345.0, "-12 345"),
        ] {
            assert_eq!(amount(value), shown);
        }
    }

    #[test]
    fn json_has_the_five_members_and_no_other() {
        let figure = Figure {
            name: "decode_200B".to_owned(),
            value: 2.0,
            unit: "frames/s",
            reference: None,
            ratio: Some(0.5),
            deviation: Some(0.1),
            against: "something",
        };
        assert_eq!(
            serde_json::to_string(&figure).unwrap(),
            r#"{"name":"decode_200B","value":2.0,"unit":"frames/s","reference":null,"ratio":0.5}"#
        );
    }
}
