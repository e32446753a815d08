//! Files that are wrong: each is refused in one line that names the place and the remedy.

use std::path::Path;

use wgpu_linear_cli::data::{DataError, Fault, Preprocessing, ReadOptions, Task, read, read_like};

use crate::data_files::{Folder, all, gzip, idx, npy};

/// A file, how it is read, and what its refusal says.
struct Case {
    file: &'static str,
    bytes: Vec<u8>,
    options: ReadOptions,
    /// Behind the path of the file.
    place: &'static str,
    says: &'static [&'static str],
}

fn case(
    file: &'static str,
    bytes: impl AsRef<[u8]>,
    place: &'static str,
    says: &'static [&'static str],
) -> Case {
    Case {
        file,
        bytes: bytes.as_ref().to_vec(),
        options: ReadOptions::default(),
        place,
        says,
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut ReadOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn texts() -> Vec<Case> {
    vec![
        case(
            "empty.csv",
            "",
            ": ",
            &["is empty", "give a file with rows"],
        ),
        case("blank.csv", "\n\n\r\n", ": ", &["is empty"]),
        case(
            "header.csv",
            "a,b,c\n",
            ": ",
            &["no row below", "--header no"],
        ),
        case("header.csv", "1,2\n", ": ", &["no row below"]).with(|o| o.header = Some(true)),
        case("one.csv", "a,b\n1,2\n", ": ", &["1 row(s)", "at least 2"]),
        case(
            "ragged.csv",
            "a,b,c\n1,2,x\n3,y\n",
            ", line 3: ",
            &["2 fields", "has 3", "--separator"],
        ),
        case(
            "longer.csv",
            "1,2,x\n3,4,y\n5,6,z,7\n",
            ", line 3: ",
            &["4 fields", "--separator"],
        ),
        case(
            "text.csv",
            "size,c\n1,x\n2,y\n3,x\nbig,y\n",
            ", line 5, column 1 (size): ",
            &[
                "\"big\" is not a number",
                "--categorical size",
                "--drop size",
            ],
        ),
        case(
            "late.csv",
            format!("{}five,7\n", "5,6\n5,7\n".repeat(600)),
            ", line 1201, column 1: ",
            &["\"five\"", "--categorical 1", "--drop 1"],
        ),
        case(
            "numeric.csv",
            "k,c\nu,x\nv,y\n",
            ", line 2, column 1 (k): ",
            &["\"u\" is not a number"],
        )
        .with(|o| o.numeric = strings(&["k"])),
        case(
            "quoted name.csv",
            "my size,c\n1,x\n2,y\n3,x\nbig,y\n",
            ", line 5, column 1 (my size): ",
            &["--drop 'my size'"],
        ),
        case(
            "missing.csv",
            "a,b,c\n1,2,x\n3,NA,y\n",
            ", line 3, column 2 (b): ",
            &["value is missing", "--impute", "--drop b"],
        ),
        case(
            "nan.csv",
            "1,2,x\n3,nan,y\n",
            ", line 2, column 2: ",
            &["missing", "--drop 2"],
        ),
        case(
            "absent category.csv",
            "k,c\nu,x\n?,y\nv,x\n",
            ", line 3, column 1 (k): ",
            &["value is missing", "--impute"],
        ),
        case(
            "infinite.csv",
            "a,c\n1,x\n-inf,y\n",
            ", line 3, column 1 (a): ",
            &["\"-inf\" is not a finite number", "--drop a"],
        ),
        case(
            "huge.csv",
            "1,x\n1e999,y\n",
            ", line 2, column 1: ",
            &["not a finite number"],
        ),
        case(
            "no values.csv",
            "a,b,c\n1,,x\n2,,y\n",
            ", column 2 (b): ",
            &["no value", "--drop b"],
        )
        .with(|o| o.impute = true),
        case(
            "no label.csv",
            "a,c\n1,x\n2,\n",
            ", line 3, column 2 (c): ",
            &["to be learned is missing", "--target"],
        ),
        case(
            "other target.csv",
            "a,b\n1,x\n2,y\n",
            ": ",
            &["no column species for --target", "it has a, b"],
        )
        .with(|o| o.target = Some(strings(&["species"]))),
        case(
            "position.csv",
            "1,2\n3,4\n",
            ": ",
            &["no column -3 for --target", "column 1, column 2"],
        )
        .with(|o| o.target = Some(strings(&["-3"]))),
        case(
            "drop.csv",
            "a,b\n1,x\n2,y\n",
            ": ",
            &["no column q for --drop"],
        )
        .with(|o| o.drop = strings(&["q"])),
        case(
            "kind.csv",
            "a,b\n1,x\n2,y\n",
            ": ",
            &["no column 0 for --categorical"],
        )
        .with(|o| o.categorical = strings(&["0"])),
        case(
            "nothing.csv",
            "a,b\n1,x\n2,y\n",
            ": ",
            &["no column is left", "--separator", "--drop"],
        )
        .with(|o| o.drop = strings(&["a"])),
        case(
            "single.csv",
            "1\n2\n3\n",
            ": ",
            &["no column is left", "--separator"],
        ),
        case(
            "no target.csv",
            "1,2\n2,3\n",
            ": ",
            &["nothing is named to be learned", "--target"],
        )
        .with(|o| o.target = Some(Vec::new())),
        case(
            "one class.csv",
            "a,c\n1,x\n2,x\n",
            ", column 2 (c): ",
            &["every row is of the class x", "--target", "--task values"],
        ),
        case(
            "free text.csv",
            (0..30)
                .map(|i| format!("{i}.5,word {i}\n"))
                .collect::<String>(),
            ", column 2: ",
            &["30 different values in 30 rows", "--target"],
        ),
        case(
            "names.csv",
            (0..30)
                .map(|i| format!("{i}.5,word {i},{}\n", i % 2))
                .collect::<String>(),
            ", column 2: ",
            &[
                "30 different texts in 30 rows",
                "--drop 2",
                "--categorical 2",
            ],
        ),
        case(
            "text values.csv",
            "a,c\n1,2\n2,y\n",
            ", line 3, column 2 (c): ",
            &["\"y\" is not a number", "--task classes", "--target"],
        )
        .with(|o| o.task = Some(Task::Values)),
        case(
            "two.csv",
            "a,b,c\n1,2,3\n2,1,3\n",
            ": ",
            &["2 columns", "--target", "--task values"],
        )
        .with(|o| {
            o.target = Some(strings(&["b", "c"]));
            o.task = Some(Task::Classes);
        }),
        case(
            "twice.csv",
            "a,b,a\n1,2,3\n4,5,6\n",
            ", column 3 (a): ",
            &["as column 1 is", "rename", "--header no"],
        ),
        case(
            "latin.csv",
            b"k,c\ncaf\xe9,x\nbar,y\n",
            ", line 2, column 1 (k): ",
            &["not UTF-8", "save the file as UTF-8"],
        ),
        case(
            "latin header.csv",
            b"caf\xe9,c\n1,x\n2,y\n",
            ", line 1: ",
            &["not UTF-8"],
        ),
        case("utf-16.csv", b"\xff\xfea\0,\0b\0\n\0", ": ", &["not UTF-8"]),
        case("nul.csv", b"1,2\n3,\x00\n", ": ", &["NUL byte", "give CSV"]),
        case(
            "quote.csv",
            "k,c\nu,x\n\"v,y\nw,x\n",
            ", line 3: ",
            &["quotation mark is not closed", "write it twice"],
        ),
        case(
            "separator.csv",
            "1,2\n",
            ": ",
            &["cannot separate", "--separator"],
        )
        .with(|o| o.separator = Some('é')),
        case(
            "decimal.csv",
            "1,2\n",
            ": ",
            &["no decimal mark", "--decimal"],
        )
        .with(|o| o.decimal = Some('x')),
        case(
            "thousands.csv",
            "a;c\n1.234,5;x\n2,5;y\n3,5;x\n",
            ", line 2, column 1 (a): ",
            &["\"1.234,5\" is not a number"],
        ),
    ]
}

fn packed() -> Vec<Case> {
    let table = gzip("1,a\n2,b\n".repeat(2000).as_bytes());
    let rows = gzip("1,a\n2,b\n".repeat(1 << 20).as_bytes());
    let mut damaged = table.clone();
    damaged[40] ^= 0x55;
    vec![
        case(
            "cut.csv.gz",
            &table[..table.len() / 2],
            ": ",
            &["gzip", "cut off", "get the file again"],
        ),
        case("head.csv.gz", &table[..5], ": ", &["gzip"]),
        case("damaged.csv.gz", damaged, ": ", &["gzip", "damaged"]),
        case("nothing.csv.gz", gzip(b""), ": ", &["is empty"]),
        case("twice.csv.gz", gzip(&table), ": ", &["packed twice"]),
        // 8 MB from 8 kB.
        case(
            "bomb.csv.gz",
            rows,
            ": ",
            &["more memory than there is", "--max-bytes"],
        )
        .with(|o| o.max_bytes = Some(1 << 20)),
        case(
            "line.csv.gz",
            gzip(&vec![b'1'; 65 << 20]),
            ": ",
            &["more than 64 MB", "--separator"],
        ),
    ]
}

fn arrays() -> Vec<Case> {
    let floats = |count: usize| vec![0; 4 * count];
    let nested = format!("({}", "[".repeat(40));
    let infinite: Vec<u8> = [1.0_f32, 2.0, f32::INFINITY, 0.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    vec![
        case(
            "x.npy",
            npy("'|u1'", "(2, 1, 2)", &[0, 1, 2, 3]),
            ": ",
            &["nothing is named to be learned", "--labels"],
        ),
        case(
            "x.npy",
            npy("'<c8'", "(2, 2)", &floats(8)),
            ": ",
            &["type '<c8'", "astype"],
        ),
        case(
            "x.npy",
            npy("'|O'", "(2, 2)", b""),
            ": ",
            &["type '|O'", "float32"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "()", &floats(1)),
            ": ",
            &["shape []", "reshape"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(4,)", &floats(4)),
            ": ",
            &["shape [4]", "reshape"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(1, 1, 1, 1, 4)", &floats(4)),
            ": ",
            &["rows × columns"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(0, 4)", b""),
            ": ",
            &["shape [0, 4]", "at least one row"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(4, 0)", b""),
            ": ",
            &["shape [4, 0]", "one column"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(4, 2)", &floats(7)),
            ": ",
            &["28 of 32 bytes", "cut off"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(4, 2)", &floats(9)),
            ": ",
            &["after the 32 bytes"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(2, 2)", &infinite),
            ", row 2, column 1: ",
            &["finite", "--drop 1"],
        ),
        case(
            "x.npy",
            npy("'<f4'", &nested, b""),
            ": ",
            &["damaged head", "save the array again"],
        ),
        case(
            "x.npy",
            npy("'<f4'", "(4, nine)", b""),
            ": ",
            &["damaged head"],
        ),
        case(
            "x.npy",
            b"\x93NUMPY\x01",
            ": ",
            &["damaged head", "cut off"],
        ),
        case(
            "x.npy",
            "1,2\n",
            ": ",
            &["is named as .npy", "found 1,2\\n", "rename it"],
        ),
        case(
            "x.npy",
            npy("'|u1'", "(1000000, 1000000000)", b""),
            ": ",
            &["more memory", "--max-bytes"],
        )
        .with(|o| o.target = Some(Vec::new())),
        case(
            "x.npy",
            npy("'|u1'", "(8589934592, 2)", b""),
            ": ",
            &["8589934592 rows", "a part"],
        ),
        case("x.npz", "1,2\n", ": ", &["is named as .npz"]),
        case(
            "x.npz",
            b"PK\x03\x04 and no more",
            ": ",
            &["damaged archive", "save the arrays again"],
        ),
        case(
            "x.npz",
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ": ",
            &["no array y", "holds none", "--arrays"],
        ),
        case(
            "x.parquet",
            "1,2\n",
            ": ",
            &["is named as Parquet", "rename it"],
        ),
        case(
            "x.npz.gz",
            gzip(b"PK\x03\x04...."),
            ": ",
            &["packed with gzip", "gunzip"],
        ),
        case(
            "x.h5",
            b"\x89HDF\r\n\x1a\n",
            ": ",
            &["is HDF5", "save it as CSV"],
        ),
    ]
}

fn images() -> Vec<Case> {
    let labelled = |bytes: Vec<u8>, says| {
        let folder = "labels.idx1-ubyte";
        case("i.images.idx3-ubyte", bytes, ": ", says).with(|o| o.labels = Some(folder.into()))
    };
    vec![
        case(
            "train-images-idx3-ubyte",
            idx(8, &[2, 1, 1], &[0, 1]),
            ": ",
            &["no train-labels-idx1-ubyte beside", "--labels FILE"],
        ),
        case(
            "train-images-idx3-ubyte",
            "5,5\n",
            ": ",
            &["is named as IDX"],
        ),
        case(
            "train-labels-idx1-ubyte",
            idx(8, &[2], &[0, 1]),
            ": ",
            &["labels, no images", "--labels"],
        ),
        case("t.idx", idx(0x0a, &[2, 1], &[0, 1]), ": ", &["type 0x0a"]),
        case("t.idx", &idx(8, &[2, 1, 1], b"")[..9], ": ", &["cut off"]),
        labelled(idx(8, &[4, 1, 1], &[0, 1]), &["2 of 4 bytes", "cut off"]),
        labelled(idx(8, &[1, 1, 1], &[0, 1]), &["after the 1 bytes"]),
        labelled(idx(8, &[0, 28, 28], b""), &["shape [0, 28, 28]"]),
    ]
}

/// Reads and fits as `train` does.
fn refusal(path: &Path, options: &ReadOptions) -> DataError {
    let table = match read(path, options) {
        Ok(table) => table,
        Err(error) => return error,
    };
    let fitted = Preprocessing::fit(&table, &all(&table), options);
    match fitted.and_then(|preprocessing| preprocessing.apply(table)) {
        Ok(examples) => panic!("{} was read: {examples:?}", path.display()),
        Err(error) => error,
    }
}

fn check(case: &Case, folder: &Folder) {
    let path = folder.write(case.file, &case.bytes);
    let message = refusal(&path, &case.options).to_string();
    let begin = format!("{}{}", path.display(), case.place);
    assert!(message.starts_with(&begin), "not at {begin:?}: {message}");
    assert!(!message.contains(['\n', '\r', '\0']), "{message:?}");
    for part in case.says {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn malformed_texts_are_refused_with_place_and_remedy() {
    let folder = Folder::new();
    let cases = texts();
    assert!(cases.len() >= 25);
    cases.iter().for_each(|case| check(case, &folder));
}

#[test]
fn malformed_gzip_is_refused_with_place_and_remedy() {
    let folder = Folder::new();
    packed().iter().for_each(|case| check(case, &folder));
}

#[test]
fn malformed_arrays_are_refused_with_place_and_remedy() {
    let folder = Folder::new();
    arrays().iter().for_each(|case| check(case, &folder));
}

#[test]
fn malformed_images_are_refused_with_place_and_remedy() {
    let folder = Folder::new();
    for mut case in images() {
        if let Some(labels) = &case.options.labels {
            let labels = folder.write(labels.to_str().unwrap(), idx(8, &[4], &[0, 1, 0, 1]));
            case.options.labels = Some(labels);
        }
        check(&case, &folder);
    }
}

#[test]
fn a_folder_and_a_file_that_is_not_there_are_refused() {
    let folder = Folder::new();
    let message = refusal(folder.path(), &ReadOptions::default()).to_string();
    assert!(
        message.contains("is a folder: name a file in it"),
        "{message}"
    );
    let path = folder.path().join("absent.csv");
    let message = refusal(&path, &ReadOptions::default()).to_string();
    assert!(
        message.contains("absent.csv: cannot be opened"),
        "{message}"
    );
}

#[test]
fn labels_that_do_not_belong_to_the_rows_are_refused() {
    let folder = Folder::new();
    let images = folder.write("images.idx", idx(8, &[3, 1, 2], &[0; 6]));
    for (name, bytes, says) in [
        (
            "few.idx",
            idx(8, &[2], &[0, 1]),
            "2 labels for the 3 rows of",
        ),
        (
            "rank.idx",
            idx(8, &[3, 1, 1], &[0, 1, 0]),
            "labels of the shape [3, 1, 1]",
        ),
        (
            "labels.csv",
            b"1\n2\n3\n".to_vec(),
            "no labels that can be read",
        ),
        ("cut.idx", idx(8, &[3], &[0, 1]), "2 of 3 bytes"),
        (
            "nan.npy",
            npy("'<f4'", "(3,)", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f, 0, 0, 0, 0]),
            "row 2: the value to be learned is missing",
        ),
    ] {
        let labels = folder.write(name, bytes);
        let options = ReadOptions {
            labels: Some(labels.clone()),
            ..ReadOptions::default()
        };
        let message = refusal(&images, &options).to_string();
        assert!(
            message.starts_with(&labels.display().to_string()),
            "{message}"
        );
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn tables_that_do_not_fit_a_model_are_refused() {
    let folder = Folder::new();
    let options = ReadOptions::default();
    let table = folder
        .read("x,k,label\n1,u,yes\n2,v,no\n4,u,no\n", &options)
        .unwrap();
    let model = Preprocessing::fit(&table, &all(&table), &options).unwrap();
    let refusal = |model: &Preprocessing, text: &str| {
        let path = folder.write("new.csv", text);
        let table = read_like(&path, model, &ReadOptions::default());
        table.and_then(|table| model.apply(table)).unwrap_err()
    };
    for (text, place, says) in [
        (
            "x,label\n1,yes\n",
            ": ",
            &["no column k", "it has x, label", "--header no"][..],
        ),
        (
            "1,2,u,yes\n1,2,u,no\n",
            ": ",
            &["4 columns", "trained with 2", "--header yes"],
        ),
        (
            "x,k\n1,w\n",
            ", line 2, column 2 (k): ",
            &["category \"w\"", "(u, v)", "--unknown zeros"],
        ),
        (
            "x,k,label\n1,u,maybe\n",
            ", line 2, column 3 (label): ",
            &["class \"maybe\"", "(no, yes)"],
        ),
        (
            "x,k\n?,u\n",
            ", line 2, column 1 (x): ",
            &["missing", "train with --impute"],
        ),
        (
            "x,k\n1,\n",
            ", line 2, column 2 (k): ",
            &["missing", "train with --impute"],
        ),
        (
            "x,k\none,u\n",
            ", line 2, column 1 (x): ",
            &["\"one\" is not a number"],
        ),
        (
            "x,k,label\n1,u,\n",
            ", line 2, column 3 (label): ",
            &["missing"],
        ),
        (
            "x,k\n1e200,u\n",
            ", line 2, column 1 (x): ",
            &["not a finite number"],
        ),
    ] {
        let message = refusal(&model, text).to_string();
        assert!(
            message.contains(&format!("new.csv{place}")),
            "{text:?}: {message}"
        );
        for part in says {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
    let mut future = model.clone();
    future.version += 1;
    let error = refusal(&future, "x,k\n1,u\n");
    assert!(
        matches!(*error.fault, Fault::Version { found: 2, known: 1 }),
        "{error}"
    );
}

/// Whatever a file is cut or changed to, it is read or refused.
#[test]
fn damaged_files_never_end_the_program() {
    let folder = Folder::new();
    let text = b"x;k;c\n1,5;\"u;\n\";a\n2,5;v;b\n3,5;u;a\n".to_vec();
    let floats = npy("'<f4'", "(3, 2)", &[7; 24]);
    let images = idx(8, &[3, 1, 2], &[1, 2, 3, 4, 5, 6]);
    let (mut read_ones, mut refused) = (0, 0);
    for (name, bytes) in [
        ("a", text.clone()),
        ("b", gzip(&text)),
        ("c", floats.clone()),
        ("d", gzip(&floats)),
        ("e", images),
    ] {
        let mut rng = fastrand::Rng::with_seed(5);
        for round in 0..150 {
            let mut bytes = bytes.clone();
            match round % 4 {
                0 => bytes.truncate(rng.usize(..=bytes.len())),
                1 => bytes.insert(rng.usize(..=bytes.len()), rng.u8(..)),
                _ => {
                    for _ in 0..rng.usize(1..4) {
                        let at = rng.usize(..bytes.len());
                        bytes[at] = rng.u8(..);
                    }
                }
            }
            let path = folder.write(name, &bytes);
            let options = ReadOptions {
                max_bytes: Some(1 << 24),
                impute: round % 2 == 0,
                ..ReadOptions::default()
            };
            let table = read(&path, &options);
            let made = table.and_then(|table| {
                let model = Preprocessing::fit(&table, &all(&table), &options)?;
                model.apply(table)
            });
            match made {
                Ok(examples) => {
                    assert!(examples.x.iter().all(|x| x.is_finite()));
                    read_ones += 1;
                }
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains(": "), "{message}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read_ones > 20 && refused > 200, "{read_ones} {refused}");
}
