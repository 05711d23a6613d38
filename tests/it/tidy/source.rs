//! A source file as the rules see it: which paths, texts, methods, attributes and modules it names, and on which line.
//!
//! Reads tokens, not lines: comments are gone, strings are apart from code, and a group of imports is written out, so
//! that a rule is asked about `std::thread::spawn` however it was spelled.

use proc_macro2::{Delimiter, LexError, Spacing, TokenStream, TokenTree};

/// One thing that a file names.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) what: What,
    pub(super) line: usize,
    /// Stands in test code: below `#[cfg(test)]` or `#[test]`, or in a file of tests.
    pub(super) in_test: bool,
}

#[derive(Debug)]
pub(super) enum What {
    /// A path, its `self` and `super` resolved to `crate`. A macro's name ends in `!`.
    Path { segments: Vec<String>, is_import: bool, is_call: bool },
    /// A call of a method, and whether it has arguments.
    Method { name: String, has_arguments: bool },
    /// A literal as written, with its quotes. Doc comments are none.
    Text(String),
    /// What stands between `#[` and `]`, without blanks.
    Attribute(String),
    /// The name of a module that is declared or written here.
    Module(String),
}

/// Lists what `source` names. `module` is the file's place below the crate's root: `["index", "writer"]`.
///
/// # Errors
/// When it is no Rust.
pub(super) fn read(source: &str, module: &[String], in_test: bool) -> Result<Vec<Item>, LexError> {
    let mut items = Vec::new();
    Reader { items: &mut items, module: module.to_vec(), in_test }.read(source.parse()?);
    Ok(items)
}

/// Walks the tokens of one module.
struct Reader<'a> {
    items: &'a mut Vec<Item>,
    module: Vec<String>,
    in_test: bool,
}

impl Reader<'_> {
    fn read(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let outside = self.in_test;
        let mut at = 0;
        while at < tokens.len() {
            at = self.read_one(&tokens, at);
            // An attribute holds up to the end of its item.
            let is_end = match &tokens[at - 1] {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                token => is_punct(Some(token), ';'),
            };
            if is_end {
                self.in_test = outside;
            }
        }
    }

    /// Reads what begins at `at` and returns where the next thing begins.
    fn read_one(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == '#' => self.read_attribute(tokens, at),
            TokenTree::Punct(_) => at + 1,
            TokenTree::Literal(literal) => {
                self.push(What::Text(literal.to_string()), &tokens[at]);
                at + 1
            }
            TokenTree::Group(group) => {
                self.read(group.stream());
                at + 1
            }
            TokenTree::Ident(word) if word == "use" => {
                let end = (at..tokens.len()).find(|end| is_punct(tokens.get(*end), ';')).unwrap_or(tokens.len());
                self.read_imports(&tokens[at + 1..end], &[]);
                end
            }
            TokenTree::Ident(word) if word == "mod" => self.read_module(tokens, at),
            TokenTree::Ident(_) if at > 0 && is_punct(tokens.get(at - 1), '.') => self.read_member(tokens, at),
            TokenTree::Ident(_) => self.read_path(tokens, at),
        }
    }

    fn read_attribute(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let at = if is_punct(tokens.get(at + 1), '!') { at + 2 } else { at + 1 };
        let Some(TokenTree::Group(group)) = tokens.get(at) else { return at };
        let text: String = group.stream().to_string().split_whitespace().collect();
        // A doc comment is an attribute too; what it says is for people.
        if !text.starts_with("doc=") {
            self.in_test |= text == "test" || text.starts_with("cfg(test") || text.starts_with("cfg(all(test");
            self.push(What::Attribute(text), &tokens[at]);
        }
        at + 1
    }

    fn read_module(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return at + 1 };
        self.push(What::Module(name.to_string()), &tokens[at]);
        let Some(TokenTree::Group(body)) = tokens.get(at + 2) else { return at + 2 };
        self.module.push(name.to_string());
        self.read(body.stream());
        self.module.pop();
        at + 3
    }

    fn read_member(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if let Some(TokenTree::Group(group)) = tokens.get(at + 1)
            && group.delimiter() == Delimiter::Parenthesis
        {
            let has_arguments = !group.stream().is_empty();
            self.push(What::Method { name: tokens[at].to_string(), has_arguments }, &tokens[at]);
        }
        at + 1
    }

    fn read_path(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let mut segments = vec![tokens[start].to_string()];
        let mut at = start + 1;
        while is_path_separator(tokens, at)
            && let Some(TokenTree::Ident(word)) = tokens.get(at + 2)
        {
            segments.push(word.to_string());
            at += 3;
        }
        let is_group = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Group(_)));
        if is_punct(tokens.get(at), '!') && is_group(tokens.get(at + 1)) {
            segments.last_mut().expect("a path has a first segment").push('!');
        }
        let is_call = matches!(tokens.get(at), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
        let segments = self.resolve(segments);
        self.push(What::Path { segments, is_import: false, is_call }, &tokens[start]);
        at
    }

    /// Writes a tree of imports out into one path each.
    fn read_imports(&mut self, tokens: &[TokenTree], above: &[String]) {
        for branch in tokens.split(|token| is_punct(Some(token), ',')) {
            let mut segments = above.to_vec();
            let mut is_renamed = false;
            for token in branch {
                match token {
                    TokenTree::Ident(word) if word == "as" => is_renamed = true,
                    // `use a::{self}` is `use a`.
                    TokenTree::Ident(word) if word == "self" && !segments.is_empty() => {}
                    TokenTree::Ident(word) if !is_renamed => segments.push(word.to_string()),
                    TokenTree::Punct(punct) if punct.as_char() == '*' => segments.push("*".to_owned()),
                    TokenTree::Group(group) => {
                        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.read_imports(&inner, &segments);
                        segments.clear();
                    }
                    _ => {}
                }
            }
            if let (Some(first), false) = (branch.first(), segments.is_empty()) {
                let segments = self.resolve(segments);
                self.push(What::Path { segments, is_import: true, is_call: false }, first);
            }
        }
    }

    /// Turns `self::x` and `super::x` into the path from the crate's root.
    fn resolve(&self, segments: Vec<String>) -> Vec<String> {
        if segments.len() < 2 || !(segments[0] == "super" || segments[0] == "self") {
            return segments;
        }
        let ups = segments.iter().filter(|segment| *segment == "super").count();
        let down = segments.into_iter().skip_while(|segment| segment == "super" || segment == "self");
        let kept = self.module.len().saturating_sub(ups);
        std::iter::once("crate".to_owned()).chain(self.module[..kept].iter().cloned()).chain(down).collect()
    }

    fn push(&mut self, what: What, token: &TokenTree) {
        self.items.push(Item { what, line: token.span().start().line, in_test: self.in_test });
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Tells whether `::` stands at `at`; a single `:` stands before a type.
fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
        && is_punct(tokens.get(at + 1), ':')
}
