//! The commands of a piece of shell, as far as our pages go: quotes, comments, pipes, redirections.

use std::iter::Peekable;
use std::mem;
use std::str::Chars;

/// The words of each command.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Commands::default();
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '#' if commands.word.is_none() => {
                while chars.next_if(|next| *next != '\n').is_some() {}
            }
            ' ' | '\t' => commands.end_word(),
            '\n' | '|' | '&' | ';' | '(' | ')' => commands.end_command(),
            '<' | '>' => {
                commands.end_word();
                commands.is_redirection = true;
            }
            '\\' => match chars.next() {
                None | Some('\n') => {}
                Some(escaped) => commands.word().push(escaped),
            },
            '\'' | '"' => quoted(next, &mut chars, commands.word()),
            other => commands.word().push(other),
        }
    }
    commands.end_command();
    commands.all
}

/// What was typed in a transcript: what stands behind `$ `, and the lines that it goes on in.
pub(super) fn typed(transcript: &str) -> String {
    let mut typed = String::new();
    let mut goes_on = false;
    for line in transcript.lines() {
        let begins = line.strip_prefix("$ ");
        if goes_on || begins.is_some() {
            typed += begins.unwrap_or(line);
            typed.push('\n');
            goes_on = line.ends_with('\\');
        }
    }
    typed
}

#[derive(Default)]
struct Commands {
    all: Vec<Vec<String>>,
    words: Vec<String>,
    word: Option<String>,
    /// Whether the next word is that of a file.
    is_redirection: bool,
}

impl Commands {
    fn word(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !mem::take(&mut self.is_redirection)
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.words.is_empty() {
            self.all.push(mem::take(&mut self.words));
        }
    }
}

fn quoted(quote: char, chars: &mut Peekable<Chars<'_>>, word: &mut String) {
    while let Some(next) = chars.next() {
        match next {
            next if next == quote => return,
            '\\' if quote == '"' => word.extend(chars.next()),
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_a_shell_sees() {
        for (text, words) in [
            ("a  b # c d\n", &[&["a", "b"][..]][..]),
            ("a 'b # c' \"d \\\" 'e'\"f", &[&["a", "b # c", "d \" 'e'f"]]),
            ("a \\\n  b", &[&["a", "b"]]),
            (
                "a | b && c; d\n\ne",
                &[&["a"], &["b"], &["c"], &["d"], &["e"]],
            ),
            ("echo \"A=$(a -b 1)\" >> .env", &[&["echo", "A=$(a -b 1)"]]),
            ("A=$(a b) c", &[&["A=$"], &["a", "b"], &["c"]]),
            ("a '' b#c", &[&["a", "", "b#c"]]),
        ] {
            assert_eq!(commands(text), words, "{text}");
        }
    }

    #[test]
    fn of_a_transcript_what_was_typed_counts() {
        let transcript = "$ a -b \\\n    -c\n{\"answer\": 1}\n$ d\n$x\n";
        assert_eq!(typed(transcript), "a -b \\\n    -c\nd\n");
    }
}
