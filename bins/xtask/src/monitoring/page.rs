//! What `/metrics` prints, as OpenMetrics has it.

use std::collections::BTreeSet;

use crate::Failure;

/// A page of metrics.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) families: Vec<Family>,
}

/// A metric with all its samples.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Without the ending that its samples have.
    name: String,
    help: String,
    pub(super) kind: String,
    samples: Vec<String>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    ///
    /// A line belongs to no metric.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let mut families: Vec<Family> = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                families.push(Family {
                    name: name.to_owned(),
                    help: help.to_owned(),
                    ..Family::default()
                });
            } else if line != "# EOF" {
                let family = families.last_mut();
                family.ok_or("a page begins with a HELP")?.add(line)?;
            }
        }
        Ok(Self { families })
    }

    /// The same in the older text form, which is all that `promtool check metrics` reads.
    pub(super) fn in_text_form(&self) -> String {
        let mut page = String::new();
        for family in &self.families {
            let (name, help) = (family.name(), &family.help);
            let kind = match family.kind.as_str() {
                "info" => "gauge",
                other => other,
            };
            page += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for sample in &family.samples {
                page += &format!("{sample}\n");
            }
        }
        page
    }
}

impl Family {
    /// As queries know it.
    pub(super) fn name(&self) -> String {
        let ending = match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        self.name.clone() + ending
    }

    /// The labels of its samples. The bounds of buckets are not among them.
    pub(super) fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|sample| labels_of(sample));
        labels.filter(|label| *label != "le").collect()
    }

    fn add(&mut self, line: &str) -> Result<(), Failure> {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (_, kind) = rest.split_once(' ').ok_or("a TYPE without one")?;
            kind.clone_into(&mut self.kind);
        } else if line.starts_with(&self.name) {
            self.samples.push(line.to_owned());
        } else if !line.starts_with("# UNIT ") {
            return Err(format!("`{line}` is not of {}", self.name).into());
        }
        Ok(())
    }
}

/// `a` and `b` of `name{a="1",b="2"} 3`. What is between quotes may be anything.
fn labels_of(sample: &str) -> Vec<&str> {
    let labels = sample.split_once('{').map_or("", |(_, labels)| labels);
    let mut names = Vec::new();
    let (mut begin, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, letter) in labels.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => begin = at + 1,
            '=' if !is_quoted => names.push(&labels[begin..at]),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP k_build The program.
# TYPE k_build info
k_build_info{version=\"1\"} 1
# HELP k_asked Requests.
# TYPE k_asked counter
k_asked_total{model=\"a,b=\\\"c\",status=\"200\"} 1
# HELP k_took_seconds Times.
# TYPE k_took_seconds histogram
# UNIT k_took_seconds seconds
k_took_seconds_bucket{le=\"+Inf\",model=\"a\"} 1
# EOF
";

    #[test]
    fn a_page_is_read_with_types_and_labels() {
        let page = Page::parse(PAGE).unwrap();
        let seen = page.families.iter().map(|family| {
            let labels: Vec<&str> = family.labels().into_iter().collect();
            (family.name(), family.kind.as_str(), labels.join(" "))
        });
        let seen: Vec<_> = seen.collect();
        assert_eq!(
            seen,
            [
                ("k_build_info".to_owned(), "info", "version".to_owned()),
                (
                    "k_asked_total".to_owned(),
                    "counter",
                    "model status".to_owned()
                ),
                ("k_took_seconds".to_owned(), "histogram", "model".to_owned()),
            ]
        );
        let text = page.in_text_form();
        assert!(text.contains("# TYPE k_build_info gauge\n"), "{text}");
        assert!(text.contains("# TYPE k_asked_total counter\n"), "{text}");
        assert!(!text.contains("UNIT") && !text.contains("EOF"), "{text}");
    }

    #[test]
    fn a_stray_line_is_a_mistake() {
        assert!(Page::parse("k_asked_total 1\n").is_err());
        assert!(Page::parse("# HELP k_a A.\n# TYPE k_a gauge\nb 1\n").is_err());
    }
}
