//! Aligned columns.

use super::output::{Output, Paint};

/// Rows under bold headings, each column as wide as its widest cell. The last one is not padded.
pub(crate) fn table<const N: usize>(
    output: &Output,
    headings: [&str; N],
    rows: &[[String; N]],
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: [&str; N], paint: Option<Paint>| {
        let mut line = String::new();
        for (column, cell) in cells.into_iter().enumerate() {
            // Padded first and painted then: the colours' codes take no room on the screen.
            let last = column + 1 == N;
            let padding = if last {
                0
            } else {
                width(column) - cell.chars().count() + 2
            };
            line.push_str(&paint.map_or(cell.to_owned(), |paint| output.paint(paint, cell)));
            line.push_str(&" ".repeat(padding));
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line(headings, Some(Paint::Bold));
    for row in rows {
        text.push_str(&line(row.each_ref().map(String::as_str), None));
    }
    text
}

/// One line a field: its name, dimmed, and its value.
pub(crate) fn fields(output: &Output, fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in fields {
        let padding = " ".repeat(width - name.len() + 2);
        text.push_str(&output.paint(Paint::Dim, name));
        text.push_str(&format!("{padding}{value}\n"));
    }
    text
}
