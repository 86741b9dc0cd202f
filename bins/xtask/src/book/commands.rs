//! Which of the commands on a page are ours, and what they ask for.

/// A command of ours with its arguments.
#[derive(Debug, PartialEq)]
pub(super) enum Ours<'a> {
    /// `kiro-2api …`, installed or by `cargo run`.
    Program(&'a [String]),
    /// `cargo xtask …`
    Chore(&'a [String]),
}

impl<'a> Ours<'a> {
    /// What a command asks of us, if it does.
    pub(super) fn of(words: &'a [String]) -> Option<Self> {
        let is_setting =
            |word: &String| word.split_once('=').is_some_and(|(name, _)| is_name(name));
        let begin = words.iter().position(|word| !is_setting(word))?;
        let (program, arguments) = words[begin..].split_first()?;
        let first = arguments.first().map(String::as_str);
        match (&**program, first) {
            ("kiro-2api", _) => Some(Self::Program(arguments)),
            ("cargo", Some("xtask")) => Some(Self::Chore(&arguments[1..])),
            ("cargo", Some("run")) => {
                let end = arguments.iter().position(|word| word == "--")?;
                let (of_cargo, of_program) = arguments.split_at(end);
                let is_ours = of_cargo.iter().any(|word| word == "kiro-2api");
                is_ours.then_some(Self::Program(&of_program[1..]))
            }
            _ => None,
        }
    }
}

/// Of a variable of the environment.
fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !name.is_empty() && name.chars().all(is_letter)
}

/// Whether a chore of these arguments exists. A word in capitals stands for a number.
pub(super) fn is_chore(arguments: &[String]) -> bool {
    let is_place = |word: &&str| word.chars().all(|letter| letter.is_ascii_uppercase());
    let words = arguments.iter().map(String::as_str);
    let words: Vec<&str> = words
        .map(|word| if is_place(&word) { "1" } else { word })
        .collect();
    crate::parse(&words).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_ours_is_known() {
        for (command, expected) in [
            (
                "kiro-2api check --json",
                Some(Ours::Program(&words("check --json"))),
            ),
            (
                "A=b C_1= kiro-2api serve",
                Some(Ours::Program(&words("serve"))),
            ),
            (
                "cargo run --release --bin kiro-2api -- demo",
                Some(Ours::Program(&words("demo"))),
            ),
            ("cargo run -p kiro-examples --bin ask -- demo", None),
            (
                "cargo xtask ci --fast",
                Some(Ours::Chore(&words("ci --fast"))),
            ),
            ("cargo install --path bins/kiro-2api", None),
            ("A=b", None),
            ("docker build --tag kiro-2api .", None),
        ] {
            assert_eq!(Ours::of(&words(command)), expected, "{command}");
        }
    }

    #[test]
    fn a_chore_is_one_that_would_be_taken() {
        for (arguments, is_one) in [
            ("ci --fast", true),
            ("simulate --seed N", true),
            ("ci --quick", false),
            ("clients cobol", false),
        ] {
            assert_eq!(is_chore(&words(arguments)), is_one, "{arguments}");
        }
    }
}
