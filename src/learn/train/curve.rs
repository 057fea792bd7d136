//! How the loss went: as a table, and as a drawing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

use crate::output::write_whole;
use crate::{Error, Result};

/// Sides of the drawing.
const SIZE: (u32, u32) = (720, 420);
const TRAINING: RGBColor = RGBColor(0, 114, 178);
const VALIDATION: RGBColor = RGBColor(213, 94, 0);
const HEADER: &str = "step,seconds,training,validation,rate";

/// The loss at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Steps that were taken.
    pub step: u64,
    /// Seconds that the run took so far, all its parts together.
    pub seconds: f64,
    /// The mean loss of the steps since the last point.
    pub training: f64,
    /// The loss on what is not learnt from.
    pub validation: f64,
    /// The rate.
    pub rate: f64,
}

/// The points of a run, in `NAME.csv`, and drawn in `NAME.svg`.
#[derive(Debug)]
pub struct Curve {
    table: PathBuf,
    points: Vec<Point>,
}

impl Curve {
    /// The curve at `path`, without extension; of a run that goes on after `step`, the points up to it.
    ///
    /// # Errors
    /// [`Error::Io`] where the table cannot be read; [`Error::Model`] where a line of it is damaged.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        let table = path.with_extension("csv");
        let text = match table.is_file() {
            true => std::fs::read_to_string(&table).map_err(|error| Error::io(&table, error))?,
            false => String::new(),
        };
        let mut points = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let point = parse(line).ok_or_else(|| {
                Error::model(table.display().to_string(), format!("line {} is not {HEADER}", number + 1))
            })?;
            points.push(point);
        }
        points.retain(|point| point.step <= step);
        Ok(Self { table, points })
    }

    /// Its points.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Adds a point and writes both files.
    ///
    /// # Errors
    /// [`Error::Io`] where one cannot be written; [`Error::Setting`] where it cannot be drawn.
    pub fn add(&mut self, point: Point) -> Result<()> {
        self.points.push(point);
        let mut text = format!("{HEADER}\n");
        for Point { step, seconds, training, validation, rate } in &self.points {
            // Strings can be written to.
            let _ = writeln!(text, "{step},{seconds:.1},{training},{validation},{rate}");
        }
        write_whole(&self.table, text.as_bytes())?;
        write_whole(&self.table.with_extension("svg"), self.drawing()?.as_bytes())
    }

    fn drawing(&self) -> Result<String> {
        let mut svg = String::new();
        let drawn = draw(&self.points, SVGBackend::with_string(&mut svg, SIZE));
        drawn.map_err(|reason| Error::Setting(format!("a curve cannot be drawn: {reason}")))?;
        Ok(svg)
    }
}

fn parse(line: &str) -> Option<Point> {
    let mut fields = line.split(',');
    let step = fields.next()?.parse().ok()?;
    let mut number = || fields.next()?.parse().ok();
    Some(Point { step, seconds: number()?, training: number()?, validation: number()?, rate: number()? })
}

fn draw(points: &[Point], backend: SVGBackend) -> std::result::Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let area = backend.into_drawing_area();
    area.fill(&WHITE).map_err(|error| told(&error))?;
    let losses =
        || points.iter().flat_map(|point| [point.training, point.validation]).filter(|x| x.is_finite());
    let (low, high) = losses().fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
    let (low, high) = if low < high { (low, high) } else { (0.0, high.max(1.0)) };
    let last = points.last().map_or(1, |point| point.step.max(1));
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(0..last, low..high)
        .map_err(|error| told(&error))?;
    chart.configure_mesh().x_desc("steps").y_desc("loss").draw().map_err(|error| told(&error))?;
    type Loss = fn(&Point) -> f64;
    let training: Loss = |point| point.training;
    let validation: Loss = |point| point.validation;
    let lines = [("training", TRAINING, training), ("validation", VALIDATION, validation)];
    for (name, colour, of) in lines {
        let line = points.iter().map(|point| (point.step, of(point))).filter(|(_, loss)| loss.is_finite());
        let series = chart.draw_series(LineSeries::new(line, colour.stroke_width(2)));
        let series = series.map_err(|error| told(&error))?.label(name);
        series.legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().border_style(BLACK).draw().map_err(|error| told(&error))?;
    area.present().map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_on_where_its_run_does() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        let point =
            |step| Point { step, seconds: 1.5, training: 2.0 / step as f64, validation: 0.5, rate: 0.001 };
        let mut curve = Curve::open(&path, 0).unwrap();
        [10, 20, 30].into_iter().for_each(|step| curve.add(point(step)).unwrap());
        let mut again = Curve::open(&path, 20).unwrap();
        assert_eq!(again.points(), [point(10), point(20)]);
        again.add(point(25)).unwrap();
        let table = std::fs::read_to_string(path.with_extension("csv")).unwrap();
        assert_eq!(table.lines().count(), 4);
        let svg = std::fs::read_to_string(path.with_extension("svg")).unwrap();
        assert!(svg.contains("<svg") && svg.contains("validation"));
        std::fs::write(path.with_extension("csv"), "a\nb\n").unwrap();
        assert!(Curve::open(&path, 9).unwrap_err().to_string().contains("line 2"));
    }
}
