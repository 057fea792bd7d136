//! Drawings for reports, as SVG.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{Error, Result};

/// Pixels of a cell of a table that is drawn, and of the names beside it.
const CELL: i32 = 56;
const MARGIN: i32 = 96;
/// Sides of a scatter plot.
const SCATTER: (u32, u32) = (560, 420);
/// Colours of classes; told apart also by those who see few colours (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(240, 228, 66),
    RGBColor(0, 0, 0),
];

/// A cell of a table: how dark it is, from 0 to 1, and what stands in it.
pub struct Cell {
    pub shade: f64,
    pub text: String,
}

/// A table whose cells are shaded: `cells` by row.
///
/// # Errors
/// [`Error::Setting`] where it cannot be drawn.
pub fn table(title: &str, rows: &[&str], columns: &[&str], cells: &[Vec<Cell>]) -> Result<String> {
    let size =
        ((MARGIN + CELL * columns.len() as i32 + 8) as u32, (MARGIN + CELL * rows.len() as i32 + 8) as u32);
    draw(size, |area| {
        let small = ("sans-serif", 12).into_font();
        let centred = small.color(&BLACK).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw_text(title, &("sans-serif", 14).into_font().color(&BLACK), (6, 8))?;
        for (at, name) in columns.iter().enumerate() {
            area.draw_text(name, &centred, (MARGIN + CELL * at as i32 + CELL / 2, MARGIN - 12))?;
        }
        for (row, (name, cells)) in rows.iter().zip(cells).enumerate() {
            let top = MARGIN + CELL * row as i32;
            let right = small.color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw_text(name, &right, (MARGIN - 8, top + CELL / 2))?;
            for (column, cell) in cells.iter().enumerate() {
                let left = MARGIN + CELL * column as i32;
                let shade = cell.shade.clamp(0.0, 1.0);
                let pale = |full: f64| (255.0 - shade * (255.0 - full)) as u8;
                let fill = RGBColor(pale(0.0), pale(90.0), pale(160.0)).filled();
                area.draw(&Rectangle::new([(left, top), (left + CELL - 2, top + CELL - 2)], fill))?;
                let ink = if shade > 0.55 { &WHITE } else { &BLACK };
                let style = small.color(ink).pos(Pos::new(HPos::Center, VPos::Center));
                area.draw_text(&cell.text, &style, (left + CELL / 2, top + CELL / 2))?;
            }
        }
        Ok(())
    })
}

/// Points, `(x, y, class)`, in the colours of their classes.
///
/// # Errors
/// As [`table`].
pub fn scatter(title: &str, classes: &[&str], points: &[(f32, f32, usize)]) -> Result<String> {
    draw(SCATTER, |area| {
        area.draw_text(title, &("sans-serif", 14).into_font().color(&BLACK), (6, 8))?;
        let range = |of: &dyn Fn(&(f32, f32, usize)) -> f32| {
            points.iter().map(of).fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
        };
        let ((left, right), (low, high)) = (range(&|point| point.0), range(&|point| point.1));
        let place = |value: f32, from: f32, to: f32, first: i32, last: i32| {
            let share = if to > from { (value - from) / (to - from) } else { 0.5 };
            first + (share * (last - first) as f32) as i32
        };
        let (width, height) = (SCATTER.0 as i32, SCATTER.1 as i32);
        for &(x, y, class) in points {
            let at = (place(x, left, right, 12, width - 120), place(y, low, high, height - 12, 36));
            area.draw(&Circle::new(at, 2, COLOURS[class % COLOURS.len()].mix(0.6).filled()))?;
        }
        for (class, name) in classes.iter().enumerate() {
            let top = 44 + 20 * class as i32;
            area.draw(&Circle::new((width - 104, top + 6), 5, COLOURS[class % COLOURS.len()].filled()))?;
            area.draw_text(name, &("sans-serif", 12).into_font().color(&BLACK), (width - 92, top))?;
        }
        Ok(())
    })
}

/// Lines of errors on axes of normal deviates, each with its name: `(false alarm, miss)`, shares.
///
/// Martin et al., "The DET curve in assessment of detection task performance" (Eurospeech 1997).
///
/// # Errors
/// As [`table`].
pub fn det(title: &str, curves: &[(String, Vec<(f64, f64)>)]) -> Result<String> {
    /// Shares at which there are lines across.
    const TICKS: [f64; 8] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6];
    let side = SCATTER.1 as i32 + 60;
    let size = (side as u32 + 300, side as u32);
    let (low, high) = (probit(TICKS[0]), probit(TICKS[TICKS.len() - 1]));
    let (left, bottom, length) = (64, side - 48, side - 96);
    let place = |share: f64| (probit(share).clamp(low, high) - low) / (high - low) * f64::from(length);
    let point =
        |&(false_alarm, miss): &(f64, f64)| (left + place(false_alarm) as i32, bottom - place(miss) as i32);
    draw(size, |area| {
        let small = ("sans-serif", 12).into_font();
        area.draw_text(title, &("sans-serif", 14).into_font().color(&BLACK), (6, 8))?;
        for share in TICKS {
            let (x, y) = point(&(share, share));
            let grey = RGBColor(210, 210, 210);
            area.draw(&PathElement::new(vec![(x, bottom), (x, bottom - length)], grey))?;
            area.draw(&PathElement::new(vec![(left, y), (left + length, y)], grey))?;
            let below = small.color(&BLACK).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw_text(&format!("{}", 100.0 * share), &below, (x, bottom + 6))?;
            let beside = small.color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw_text(&format!("{}", 100.0 * share), &beside, (left - 6, y))?;
        }
        area.draw(&PathElement::new(
            vec![(left, bottom), (left + length, bottom - length)],
            RGBColor(160, 160, 160),
        ))?;
        area.draw_text("false alarms, %", &small.color(&BLACK), (left, side - 18))?;
        area.draw_text("misses, %", &small.color(&BLACK), (6, 28))?;
        for (at, (name, curve)) in curves.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            area.draw(&PathElement::new(
                curve.iter().map(point).collect::<Vec<_>>(),
                colour.stroke_width(2),
            ))?;
            let top = 52 + 20 * at as i32;
            let right = left + length + 12;
            area.draw(&PathElement::new(
                vec![(right, top + 6), (right + 18, top + 6)],
                colour.stroke_width(2),
            ))?;
            area.draw_text(name, &small.color(&BLACK), (right + 24, top))?;
        }
        Ok(())
    })
}

/// The normal deviate below which `share` of a normal distribution lies, to 1e-3 (Abramowitz and Stegun, 26.2.23).
fn probit(share: f64) -> f64 {
    let tail = share.clamp(1e-9, 1.0 - 1e-9).min(1.0 - share.clamp(1e-9, 1.0 - 1e-9));
    let t = (-2.0 * tail.ln()).sqrt();
    let deviate = t
        - (2.515_517 + t * (0.802_853 + t * 0.010_328))
            / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    if share < 0.5 { -deviate } else { deviate }
}

type Drawn<'a> = std::result::Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw(
    size: (u32, u32),
    paint: impl for<'a, 'b> FnOnce(&'a DrawingArea<SVGBackend<'b>, Shift>) -> Drawn<'b>,
) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    let drawn = paint(&area).and_then(|()| area.present()).map_err(|error| error.to_string());
    drop(area);
    drawn.map_err(|reason| Error::Setting(format!("a drawing cannot be made: {reason}")))?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_hold_what_they_are_given() {
        let cells =
            vec![vec![Cell { shade: 1.0, text: "12".into() }, Cell { shade: 0.0, text: "34".into() }]];
        let svg = table("a <table>", &["row"], &["one", "two"], &cells).unwrap();
        for part in ["<svg", "row", "two", "12", "34", "a &lt;table&gt;"] {
            assert!(svg.contains(part), "{part} is missing of {svg}");
        }
        let svg =
            det("errors", &[("one <system>".into(), vec![(1.0, 0.0), (0.1, 0.1), (0.0, 1.0)])]).unwrap();
        assert!(svg.contains("one &lt;system&gt;") && svg.matches("<polyline").count() > 10, "{svg}");
        let svg = scatter("points", &["anger", "calm"], &[(0.0, 1.0, 0), (2.0, -1.0, 1)]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains("anger"));
    }

    #[test]
    fn deviates_are_those_of_a_normal_distribution() {
        for (share, deviate) in [(0.5, 0.0), (0.975, 1.959_964), (0.001, -3.090_232), (0.158_655, -1.0)] {
            assert!((probit(share) - deviate).abs() < 1e-3, "{share}: {}", probit(share));
        }
    }
}
