//! What a run has found, for people, for programs, and for the documentation.

use std::fs;
use std::path::Path;

use super::plot::Plot;
use crate::Failure;
use crate::figure::{Figure, amount};
use crate::rounds::Ratio;

/// A figure, and what it should be.
#[derive(Debug)]
pub(super) struct Line {
    /// As `docs/performance.md` numbers them.
    pub(super) goal: &'static str,
    pub(super) figure: Figure,
    /// Of the ratio, or of the value of a figure that is compared with nothing.
    pub(super) at_most: Option<f64>,
}

/// All lines of a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    lines: Vec<Line>,
    plots: Vec<Plot>,
    same: Vec<(String, Ratio)>,
}

/// What the table in the documentation stands between.
const BEGIN: &str = "<!-- written by `cargo xtask bench --write` -->\n";
const END: &str = "<!-- end -->\n";

impl Line {
    fn is_met(&self) -> Option<bool> {
        let value = self.figure.ratio.unwrap_or(self.figure.value);
        self.at_most.map(|most| value <= most)
    }

    fn verdict(&self) -> String {
        match (self.at_most, self.is_met()) {
            (Some(most), Some(true)) => format!("≤ {most}"),
            (Some(most), _) => format!("≤ {most}: **missed**"),
            (None, _) => String::new(),
        }
    }

    fn row(&self) -> String {
        let Figure {
            name,
            value,
            unit,
            reference,
            ratio,
            deviation,
            against,
        } = &self.figure;
        let maybe = |value: &Option<f64>| value.map(amount).unwrap_or_default();
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let deviation = deviation
            .map(|it| format!(" ± {it:.2}"))
            .unwrap_or_default();
        let (value, reference, verdict) = (amount(*value), maybe(reference), self.verdict());
        let goal = self.goal;
        format!(
            "| {goal} | {name} | {value} {unit} | {reference} {against} | {ratio}{deviation} | {verdict} |\n"
        )
    }
}

impl Report {
    /// Adds a line, and shows it, because a run takes a while.
    pub(super) fn add(&mut self, line: Line) {
        eprint!("{}", line.row());
        self.lines.push(line);
    }

    pub(super) fn plot(&mut self, plot: Plot) {
        self.plots.push(plot);
    }

    /// How well two measurements of the same program agreed.
    pub(super) fn same(&mut self, name: &str, same: Ratio) {
        self.same.push((name.to_owned(), same));
    }

    /// How well the service has kept its timetable.
    pub(super) fn slip(&mut self, name: &str, nanoseconds: u64) {
        eprintln!(
            "{name}: 99 % of the events were written within {} µs of their time",
            nanoseconds / 1000
        );
    }

    pub(super) fn print_json(&self) -> Result<(), Failure> {
        for line in &self.lines {
            println!("{}", serde_json::to_string(&line.figure)?);
        }
        Ok(())
    }

    /// A table in Markdown.
    pub(super) fn table(&self) -> String {
        let head = "| goal | figure | Kiro-2API | beside | ratio | at most |\n| --- | --- | ---: | ---: | ---: | --- |\n";
        self.lines
            .iter()
            .fold(head.to_owned(), |table, line| table + &line.row())
    }

    /// Says which figures are void.
    pub(super) fn judge(&self) {
        crate::rounds::judge(&self.same);
    }

    /// Puts the table into the documentation, and the plots beside it.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = fs::read_to_string(file)?;
        let (before, rest) = text.split_once(BEGIN).ok_or("no place for the table")?;
        let (_, after) = rest.split_once(END).ok_or("no end of the table")?;
        let table = self.table();
        fs::write(file, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
        let folder = file.with_extension("");
        fs::create_dir_all(&folder)?;
        for plot in &self.plots {
            plot.write(&folder.join(format!("{}.svg", plot.name)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ratio: Option<f64>) -> Line {
        let figure = Figure {
            ratio,
            ..Figure::alone("a_figure".to_owned(), 3.0, "µs")
        };
        Line {
            goal: "G1",
            figure,
            at_most: Some(1.1),
        }
    }

    #[test]
    fn a_goal_is_of_the_ratio_where_there_is_one() {
        assert_eq!(line(Some(1.1)).is_met(), Some(true));
        assert_eq!(line(Some(1.2)).is_met(), Some(false));
        assert_eq!(line(None).is_met(), Some(false));
    }

    #[test]
    fn the_table_and_the_plots_replace_those_of_the_last_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("performance.md");
        fs::write(&file, format!("# Speed\n\n{BEGIN}old\n{END}\nMore.\n")).unwrap();
        let mut report = Report::default();
        report.add(line(Some(1.0)));
        report.plot(Plot {
            name: "history",
            axis: "kB",
            curves: vec![super::super::plot::Curve {
                name: "ours",
                points: vec![(0.0, 1.0), (2.0, 3.0)],
            }],
        });
        report.write(&file).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("# Speed\n") && text.ends_with("\nMore.\n"),
            "{text}"
        );
        assert!(
            text.contains("| G1 | a_figure | 3.00 µs |") && !text.contains("old"),
            "{text}"
        );
        let plot = fs::read_to_string(folder.path().join("performance/history.svg")).unwrap();
        assert!(
            plot.contains("ours") && plot.contains("<polyline"),
            "{plot}"
        );
    }
}
