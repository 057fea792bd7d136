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
        let svg = scatter("points", &["anger", "calm"], &[(0.0, 1.0, 0), (2.0, -1.0, 1)]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains("anger"));
    }
}
