//! How it looks: text for a terminal, Markdown for documents.
//!
//! Text carries ANSI colours, which whoever prints it strips where they do not belong. Colour
//! follows meaning, and nothing is said by colour alone.

mod exchange;
mod message;
mod reference;
mod style;

pub use exchange::{exchange, ladder};
pub use message::message;
pub use reference::{findings_markdown, reference_markdown, reference_text};
pub use style::Layout;
