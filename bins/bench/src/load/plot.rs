//! Curves as SVG, for the documentation.

use std::path::Path;

use plotters::prelude::*;

use crate::Failure;

/// What a quantity costs at each size, for each server.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) name: &'static str,
    pub(super) axis: &'static str,
    pub(super) curves: Vec<Curve>,
}

#[derive(Debug)]
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// Size, and microseconds.
    pub(super) points: Vec<(f64, f64)>,
}

const COLOURS: [RGBColor; 2] = [RGBColor(0xb0, 0x30, 0x60), RGBColor(0x40, 0x60, 0xa0)];

impl Plot {
    /// On linear axes: a straight line is a straight line.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let most = |of: fn(&(f64, f64)) -> f64| {
            let points = self.curves.iter().flat_map(|curve| &curve.points);
            points.map(of).fold(0.0, f64::max)
        };
        let area = SVGBackend::new(file, (720, 400)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..most(|it| it.0), 0.0..most(|it| it.1) * 1.05)?;
        chart
            .configure_mesh()
            .x_desc(self.axis)
            .y_desc("µs of processor time for a request")
            .light_line_style(WHITE)
            .draw()?;
        for (curve, colour) in self.curves.iter().zip(COLOURS) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(line.point_size(3))?
                .label(curve.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(BLACK.mix(0.2))
            .draw()?;
        area.present()?;
        Ok(())
    }
}
