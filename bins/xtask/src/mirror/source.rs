//! Lengths of functions and files, and how much of the text is documentation.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::Failure;

/// What is measured in a source folder.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Lines of every function with a body, from `fn` to the brace.
    pub(super) functions: Vec<usize>,
    /// Lines of every file, without its tests.
    pub(super) files: Vec<usize>,
    /// Lines of documentation, and lines that are not empty.
    pub(super) doc: usize,
    pub(super) text: usize,
}

/// Measures a folder, without what is for tests alone.
pub(super) fn measure(folder: &Path) -> Result<Source, Failure> {
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    let mut source = Source::default();
    let mut tests = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path)?;
        let file =
            syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        tests.extend(modules_for_tests(&path, &file));
        files.push((path, text, file));
    }
    for (path, text, file) in &files {
        // `tests` as well as `tests.rs` and `tests/…`.
        let is_test =
            |module: &PathBuf| path.starts_with(module) || path.with_extension("") == *module;
        if !tests.iter().any(is_test) {
            source.add(text, file);
        }
    }
    Ok(source)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Where the modules of a file are that it has for tests: paths without an ending.
fn modules_for_tests(path: &Path, file: &syn::File) -> Vec<PathBuf> {
    let folder = folder_of(path);
    let modules = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() => Some(module),
        _ => None,
    });
    let for_tests = modules.filter(|module| is_for_tests(&module.attrs));
    for_tests
        .map(|module| folder.join(module.ident.to_string()))
        .collect()
}

/// Where the modules are that a file declares.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default();
    let folder = path.parent().unwrap_or(path);
    if matches!(name.to_str(), Some("lib" | "main" | "mod")) {
        folder.to_owned()
    } else {
        folder.join(name)
    }
}

/// Whether it is there under `cfg(test)`, alone or with more conditions, or is a test.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute
            .path()
            .is_ident("cfg")
            .then(|| attribute.meta.require_list().ok());
        let condition = condition
            .flatten()
            .map(|list| list.tokens.to_string().replace(' ', ""));
        attribute.path().is_ident("test")
            || condition
                .is_some_and(|condition| condition == "test" || condition.starts_with("all(test,"))
    })
}

impl Source {
    fn add(&mut self, text: &str, file: &syn::File) {
        let mut seen = Seen::default();
        seen.visit_file(file);
        self.functions.append(&mut seen.functions);
        let mut lines = 0;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if seen
                .tests
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&number))
            {
                continue;
            }
            lines += 1;
            let line = line.trim_start();
            self.text += usize::from(!line.is_empty());
            let is_doc = line.starts_with("///") || line.starts_with("//!");
            self.doc += usize::from(is_doc);
        }
        self.files.push(lines);
    }
}

/// What was seen in a file: lengths of functions, first and last lines of tests.
#[derive(Default)]
struct Seen {
    functions: Vec<usize>,
    tests: Vec<(usize, usize)>,
}

impl Seen {
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        self.functions.push(last - first + 1);
    }

    fn test(&mut self, attributes: &[syn::Attribute], whole: Span) {
        let first = attributes.first().map_or(whole, syn::Attribute::span);
        self.tests.push((first.start().line, whole.end().line));
    }
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_for_tests(&module.attrs) {
            self.test(&module.attrs, module.span());
        } else {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if is_for_tests(&function.attrs) {
            self.test(&function.attrs, function.span());
        } else {
            self.function(&function.sig, &function.block);
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_impl(&mut self, implementation: &'ast syn::ItemImpl) {
        if is_for_tests(&implementation.attrs) {
            self.test(&implementation.attrs, implementation.span());
        } else {
            visit::visit_item_impl(self, implementation);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if is_for_tests(&function.attrs) {
            self.test(&function.attrs, function.span());
        } else {
            self.function(&function.sig, &function.block);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "//! Page.\n\nmod a;\n#[cfg(test)]\nmod tests;\n\n/// One.\n#[inline]\nfn one() {\n    1;\n}\n\n\
        trait T {\n    fn none();\n    fn two() {}\n}\n\n#[cfg(test)]\nmod inline {\n    fn three() {}\n}\n";

    #[test]
    fn tests_count_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lib.rs"), LIB).unwrap();
        fs::write(folder.path().join("tests.rs"), "fn four() {}\nmod more;\n").unwrap();
        fs::create_dir(folder.path().join("tests")).unwrap();
        fs::write(folder.path().join("tests/more.rs"), "fn five() {}\n").unwrap();
        let source = measure(folder.path()).unwrap();
        assert_eq!(source.functions, [3, 1]);
        assert_eq!(source.files, [15]);
        assert_eq!((source.doc, source.text), (2, 11));
    }
}
