//! Reports as pages that need nothing beside them.

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#111}\
pre{white-space:pre-wrap;background:#f6f6f6;padding:1em;overflow-x:auto}section{border-top:1px solid #ccc;margin-top:2em}\
svg{margin:6px;vertical-align:top;max-width:100%}";

/// A page of this title around `body`.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head><body>\n{body}</body></html>\n",
        escaped(title)
    )
}

/// Markdown with its headings and tables as HTML.
pub fn from_markdown(markdown: &str) -> String {
    let mut html = String::new();
    let mut in_table = false;
    for line in markdown.lines() {
        let is_row = line.starts_with('|');
        if is_row != in_table {
            html += if is_row {
                "<table border=\"1\" cellpadding=\"5\" style=\"border-collapse:collapse\">\n"
            } else {
                "</table>\n"
            };
            in_table = is_row;
        }
        let heading = line.bytes().take_while(|&byte| byte == b'#').count();
        if is_row {
            if !line.starts_with("|---") {
                let cells = line.trim_matches('|').split('|');
                let row: String = cells.map(|cell| format!("<td>{}</td>", escaped(cell.trim()))).collect();
                html += &format!("<tr>{row}</tr>\n");
            }
        } else if heading > 0 {
            html += &format!("<h{heading}>{}</h{heading}>\n", escaped(line[heading..].trim()));
        } else if !line.is_empty() {
            html += &format!("<p>{}</p>\n", escaped(line));
        }
    }
    html + if in_table { "</table>\n" } else { "" }
}

/// Text without markup.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
