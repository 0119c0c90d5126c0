//! How it looks: text for a terminal, HTML and SVG for a browser, Markdown for documents.
//!
//! Text carries ANSI colours, which whoever prints it strips where they do not belong. Colour
//! follows meaning, and nothing is said by colour alone. Whatever came from the network is escaped.
//!
//! `view` puts an exchange into words and the ladder into groups; every form draws from it.

mod channel;
mod exchange;
mod fact;
mod html;
mod html_channel;
mod ladder;
mod message;
mod overview;
mod reference;
mod style;
mod svg;
mod view;
mod view_channel;

pub use channel::{channel, channel_findings, channel_line};
pub use exchange::{capture_findings, exchange, findings};
pub use html::{
    html_capture, html_capture_findings, html_end, html_exchange, html_findings, html_note,
    html_start,
};
pub use html_channel::{html_channel, html_channel_findings};
pub use ladder::ladder;
pub use message::message;
pub use overview::{Row, overview, overview_line};
pub use reference::{findings_markdown, reference_markdown, reference_text};
pub use style::Layout;
pub use svg::svg;
