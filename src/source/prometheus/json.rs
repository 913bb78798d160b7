//! A push parser for JSON: bytes go in as they arrive, events come out as soon as they are complete.
//!
//! It never holds more than one key or scalar of bounded length, so an answer of any size is parsed in constant
//! memory. It checks the grammar and the nesting depth; the receiver interprets the values.

/// The longest key or scalar kept; the rest of a longer text is read and dropped.
const MAX_TEXT: usize = 4 * 1024;
/// The deepest nesting allowed; an answer of the Prometheus API needs six levels.
const MAX_DEPTH: usize = 32;

/// One parsed token. Texts are cut to 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event<'a> {
    /// `{`
    BeginObject,
    /// `[`
    BeginArray,
    /// `}` or `]`
    End,
    /// The name of the value that follows.
    Key(&'a str),
    /// A string.
    Text(&'a str),
    /// A number, or `true`, `false`, `null`, as written.
    Bare(&'a str),
}

/// The parser's state in the grammar.
#[derive(Debug, Default)]
pub(super) struct JsonReader {
    state: State,
    /// One entry for each open container: `true` for an object.
    open: Vec<bool>,
    text: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    is_key: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    /// A value must follow.
    #[default]
    Value,
    /// A value or `]`, right after `[`.
    FirstItem,
    /// A key or `}`, right after `{`.
    FirstKey,
    /// A key, after a comma.
    NextKey,
    Colon,
    /// A comma or the end of the container.
    Comma,
    InText,
    Escape,
    /// This many hexadecimal digits are still missing.
    Unicode {
        left: u8,
        code: u16,
    },
    InBare,
    /// The outermost value is complete.
    Done,
}

// === impl JsonReader ===

impl JsonReader {
    /// Takes the next bytes and passes each event to `receive`; the first error of either ends the parsing.
    pub(super) fn feed<E>(
        &mut self,
        bytes: &[u8],
        mut receive: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<String>,
    {
        for &byte in bytes {
            self.byte(byte, &mut receive)?;
        }
        Ok(())
    }

    /// Whether the outermost value is complete.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn byte<E: From<String>>(
        &mut self,
        byte: u8,
        receive: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.state {
            State::InText => self.in_text(byte, receive),
            State::Escape => self.escape(byte).map_err(E::from),
            State::Unicode { left, code } => self.unicode(byte, left, code).map_err(E::from),
            State::InBare if !is_end_of_bare(byte) => {
                self.push(byte);
                Ok(())
            }
            State::InBare => {
                let text = bare(&self.text).map_err(E::from)?;
                receive(Event::Bare(text))?;
                self.after_value();
                self.byte(byte, receive)
            }
            _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => Ok(()),
            _ => self.structure(byte, receive),
        }
    }

    fn structure<E: From<String>>(
        &mut self,
        byte: u8,
        receive: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match (self.state, byte) {
            (State::Value | State::FirstItem, b'{' | b'[') => {
                if self.open.len() == MAX_DEPTH {
                    return Err(E::from(format!("nested deeper than {MAX_DEPTH}")));
                }
                let object = byte == b'{';
                self.open.push(object);
                self.state = if object { State::FirstKey } else { State::FirstItem };
                receive(if object { Event::BeginObject } else { Event::BeginArray })
            }
            (State::Value | State::FirstItem, b'"') => {
                self.begin(State::InText, false);
                Ok(())
            }
            (State::Value | State::FirstItem, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.begin(State::InBare, false);
                self.push(byte);
                Ok(())
            }
            (State::FirstKey | State::NextKey, b'"') => {
                self.begin(State::InText, true);
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::Comma, b',') => {
                self.state = if self.open.last() == Some(&true) { State::NextKey } else { State::Value };
                Ok(())
            }
            (State::FirstKey | State::Comma, b'}') if self.open.last() == Some(&true) => self.end(receive),
            (State::FirstItem | State::Comma, b']') if self.open.last() == Some(&false) => self.end(receive),
            (State::Done, _) => Err(E::from("text after the end of the JSON value".to_owned())),
            _ => Err(E::from(format!("unexpected character {:?}", char::from(byte)))),
        }
    }

    fn begin(&mut self, state: State, is_key: bool) {
        self.text.clear();
        self.high = None;
        self.is_key = is_key;
        self.state = state;
    }

    fn end<E: From<String>>(
        &mut self,
        receive: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open.pop();
        self.after_value();
        receive(Event::End)
    }

    fn after_value(&mut self) {
        self.state = if self.open.is_empty() { State::Done } else { State::Comma };
    }

    fn push(&mut self, byte: u8) {
        if self.text.len() < MAX_TEXT {
            self.text.push(byte);
        }
    }

    fn in_text<E: From<String>>(
        &mut self,
        byte: u8,
        receive: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match byte {
            b'"' => {
                let text = String::from_utf8_lossy(&self.text);
                receive(if self.is_key { Event::Key(&text) } else { Event::Text(&text) })?;
                if self.is_key {
                    self.state = State::Colon;
                } else {
                    self.after_value();
                }
                Ok(())
            }
            b'\\' => {
                self.state = State::Escape;
                Ok(())
            }
            0..0x20 => Err(E::from("a control character in a text".to_owned())),
            _ => {
                self.push(byte);
                Ok(())
            }
        }
    }

    fn escape(&mut self, byte: u8) -> Result<(), String> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Unicode { left: 4, code: 0 };
                return Ok(());
            }
            _ => return Err(format!("unexpected escape {:?}", char::from(byte))),
        };
        self.state = State::InText;
        self.push(plain);
        Ok(())
    }

    fn unicode(&mut self, byte: u8, left: u8, code: u16) -> Result<(), String> {
        let digit = char::from(byte).to_digit(16).and_then(|d| u16::try_from(d).ok());
        let code = code << 4 | digit.ok_or_else(|| "unexpected character in \\u".to_owned())?;
        if left > 1 {
            self.state = State::Unicode { left: left - 1, code };
            return Ok(());
        }
        self.state = State::InText;
        let units: Vec<u16> = self.high.take().into_iter().chain([code]).collect();
        if units.len() == 1 && (0xD800..0xDC00).contains(&code) {
            self.high = Some(code);
            return Ok(());
        }
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.bytes().for_each(|b| self.push(b));
        Ok(())
    }
}

fn is_end_of_bare(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
}

fn bare(text: &[u8]) -> Result<&str, String> {
    let word = str::from_utf8(text).unwrap_or_default();
    if matches!(word, "true" | "false" | "null") {
        return Ok(word);
    }
    // Rust also parses "inf" and "nan", which are not JSON; the check of the first character excludes them.
    let number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && word.parse::<f64>().is_ok();
    if number { Ok(word) } else { Err("a word that is not a JSON value".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Dice;

    fn events(chunks: &[&[u8]]) -> Result<Vec<String>, String> {
        let (mut reader, mut seen) = (JsonReader::default(), Vec::new());
        for chunk in chunks {
            reader.feed(chunk, |event| {
                seen.push(format!("{event:?}"));
                Ok::<(), String>(())
            })?;
        }
        if reader.is_done() { Ok(seen) } else { Err("incomplete".to_owned()) }
    }

    #[test]
    fn any_split_gives_the_same_events() {
        let text =
            r#" {"a":[1,-2.5e3,"\u00e9\ud83d\ude00é\n",{}],"b":{"c":null,"d":[]},"e":true} "#.as_bytes();
        let whole = events(&[text]).expect("valid");
        assert!(whole.contains(&"Text(\"é😀é\\n\")".to_owned()), "{whole:?}");
        for at in 0..=text.len() {
            assert_eq!(events(&[&text[..at], &text[at..]]).expect("valid"), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes).expect("valid"), whole);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "[1 2]",
            "[nan]",
            "[tru]",
            "{]",
            "[}",
            "[1]x",
            "[-]",
            "<html>",
            "[\"\\x\"]",
            "[\"\\u00g0\"]",
            "{1:2}",
            "[,1]",
            "\u{feff}{}",
        ] {
            assert!(events(&[text.as_bytes()]).is_err(), "{text} must be refused");
        }
        let deep = "[".repeat(40);
        assert!(events(&[deep.as_bytes()]).is_err_and(|e| e.contains("deeper")));
    }

    #[test]
    fn a_long_text_is_cut_and_not_kept() {
        let text = format!("[\"{}\"]", "x".repeat(100_000));
        let seen = events(&[text.as_bytes()]).expect("valid");
        assert_eq!(seen[1].len(), "Text(\"\")".len() + MAX_TEXT);
    }

    #[test]
    fn noise_never_panics() {
        let mut dice = Dice::new(7);
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..40)
                .map(|_| b"{}[]\",:\\u0159eE+-.tfn x\xff"[(dice.bits() >> 33) as usize % 24])
                .collect();
            let _ = events(&[&noise]);
        }
    }
}
