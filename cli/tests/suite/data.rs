//! Tables as strangers have them: how they are understood, and what the network gets.

use ndarray::array;
use wgpu_linear_cli::data::{
    Goal, Preprocessing, ReadOptions, Restored, Rule, Scaling, TargetRule, Task, Unknown, read,
    read_like,
};

use crate::data_files::{Folder, all, gzip, idx, names, npy, numbers, ready, repository};

fn options() -> ReadOptions {
    ReadOptions::default()
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn target(names: &[&str]) -> ReadOptions {
    ReadOptions {
        target: Some(strings(names)),
        ..options()
    }
}

#[test]
fn iris_is_read_without_any_option() {
    let table = read(&repository("iris.csv"), &options()).unwrap();
    assert_eq!(table.rows(), 150);
    assert_eq!(table.line(0), Some(2));
    let (preprocessing, examples) = ready(table, &options());
    assert_eq!(
        preprocessing.class_names(),
        ["setosa", "versicolor", "virginica"]
    );
    assert_eq!(preprocessing.inputs(), 4);
    assert_eq!(preprocessing.outputs(), 3);
    let Some(Goal::Classes(labels)) = &examples.goal else {
        panic!("{:?}", examples.goal);
    };
    for class in 0..3 {
        assert_eq!(labels.iter().filter(|label| **label == class).count(), 50);
    }
    // The first flower, in centimetres.
    let restored = preprocessing.restore(examples.x.row(0));
    for ((_, value), expected) in restored.iter().zip([5.1, 3.5, 1.4, 0.2]) {
        let Restored::Number(value) = value else {
            panic!("{value:?}");
        };
        assert!((value - expected).abs() <= 1e-6, "{value} {expected}");
    }
    // Standardised: mean 0, and deviation 1.
    for column in examples.x.columns() {
        let column = column.mapv(f64::from);
        assert!(column.mean().unwrap().abs() <= 1e-6);
        assert!((column.std(0.0) - 1.0).abs() <= 1e-6);
    }
}

#[test]
fn digits_without_a_header_are_classes_from_0_to_9() {
    let table = read(&repository("digits.csv.gz"), &options()).unwrap();
    assert_eq!((table.rows(), table.line(0)), (1797, Some(1)));
    let (preprocessing, examples) = ready(table, &options());
    let digits: Vec<_> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!(preprocessing.class_names(), digits);
    assert_eq!(examples.x.dim(), (1797, 64));
    let again = read_like(&repository("digits.csv.gz"), &preprocessing, &options()).unwrap();
    assert_eq!(preprocessing.apply(again).unwrap(), examples);
    // The first pixel is 0 everywhere.
    let constant = preprocessing.constant_columns();
    assert_eq!(constant, ["column 1", "column 33", "column 40"]);
    assert!(
        preprocessing.to_string().contains("scale 1"),
        "{preprocessing}"
    );
    assert!(examples.x.column(0).iter().all(|x| *x == 0.0));
}

#[test]
fn diabetes_is_values_since_its_whole_numbers_are_many() {
    let table = read(&repository("diabetes.csv"), &options()).unwrap();
    let y: Vec<f64> = match &table.targets()[0].values {
        wgpu_linear_cli::data::Values::Numbers(y) => (0..y.len()).map(|row| y.at(row)).collect(),
        other => panic!("{other:?}"),
    };
    let (preprocessing, examples) = ready(table, &options());
    assert!(preprocessing.class_names().is_empty());
    let Some(Goal::Values(goal)) = &examples.goal else {
        panic!("no values");
    };
    assert_eq!(goal.dim(), (442, 1));
    let back = preprocessing.unstandardise(goal.view());
    for (back, y) in back.iter().zip(&y) {
        assert!((back - y).abs() <= 1e-4, "{back} {y}");
    }
}

#[test]
fn a_target_is_classes_or_values_by_rule_and_by_option() {
    let folder = Folder::new();
    let task = |values: &[&str], task: Option<Task>| {
        let rows: String = values
            .iter()
            .map(|value| format!("0.5,{value}\n"))
            .collect();
        let options = ReadOptions { task, ..options() };
        let table = folder.read(rows, &options).unwrap();
        let preprocessing = Preprocessing::fit(&table, &all(&table), &options).unwrap();
        match preprocessing.target {
            TargetRule::Classes { names } => names,
            TargetRule::Values { .. } => Vec::new(),
        }
    };
    // Labels that do not begin at 0, have gaps, or are negative.
    assert_eq!(task(&["5", "1", "2", "5", "1", "2"], None), ["1", "2", "5"]);
    assert_eq!(task(&["-1", "1", "-1", "1"], None), ["-1", "1"]);
    assert_eq!(task(&["10", "9", "10.0", "9"], None), ["9", "10"]);
    assert_eq!(task(&["b", "a", "b"], None), ["a", "b"]);
    // Fractions, and whole numbers that hardly repeat.
    assert!(task(&["0.5", "1", "0.5", "1"], None).is_empty());
    assert!(task(&["1", "2", "3", "4", "5", "1"], None).is_empty());
    let many: Vec<_> = (0..84).map(|i| (i % 21).to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(task(&many, None).is_empty());
    assert_eq!(task(&many, Some(Task::Classes)).len(), 21);
    assert!(task(&["1", "2", "1", "2"], Some(Task::Values)).is_empty());
    assert_eq!(
        task(&["0.5", "1.50", "0.5", "1.5"], Some(Task::Classes)),
        ["0.5", "1.5"]
    );
}

#[test]
fn columns_are_named_by_name_and_by_position() {
    let folder = Folder::new();
    let text = "id,colour,size,label,weight\n1,red,2,a,0.5\n2,blue,3,b,0.25\n";
    // By its name, since none is said.
    let table = folder.read(text, &options()).unwrap();
    assert_eq!(table.targets()[0].name, "label");
    assert_eq!(names(&table), ["id", "colour", "size", "weight"]);
    for (wanted, found) in [
        ("-1", "weight"),
        ("5", "weight"),
        ("3", "size"),
        ("size", "size"),
    ] {
        let table = folder.read(text, &target(&[wanted])).unwrap();
        assert_eq!(table.targets()[0].name, found);
    }
    let dropped = ReadOptions {
        drop: strings(&["id", "-1"]),
        categorical: strings(&["size"]),
        ..options()
    };
    let table = folder.read(text, &dropped).unwrap();
    assert_eq!(names(&table), ["colour", "size"]);
    let (preprocessing, examples) = ready(table, &dropped);
    let inputs = ["colour = blue", "colour = red", "size = 2", "size = 3"];
    assert_eq!(preprocessing.input_names(), inputs);
    assert_eq!(
        preprocessing.groups(),
        [("colour".to_owned(), 0..2), ("size".to_owned(), 2..4)]
    );
    assert_eq!(
        examples.x,
        array![[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]]
    );
}

#[test]
fn several_targets_are_values() {
    let folder = Folder::new();
    let options = target(&["a", "c"]);
    let table = folder.read("a,b,c\n1,2,3\n3,2,1\n", &options).unwrap();
    let (preprocessing, examples) = ready(table, &options);
    assert_eq!(preprocessing.target_names(), ["a", "c"]);
    assert_eq!(
        examples.goal,
        Some(Goal::Values(array![[-1.0, 1.0], [1.0, -1.0]]))
    );
}

#[test]
fn separators_and_decimal_marks_are_found_out() {
    let folder = Folder::new();
    for text in [
        "x;y;c\n1,5;2;a\n-0,25;3;b\n",
        "x\ty\tc\n1.5\t2\ta\n-0.25\t3\tb\n",
        "x|y|c\r\n1.5|2|a\r\n-0.25|3|b",
        "\u{feff}x,y,c\n1.5,2,a\n\n-0.25,3,b\n\n",
        "\"x\",\"y\",\"c\"\n\"1.5\",2,a\n -0.25 , 3 ,b\n",
        "x,y,c\n\"1,5\",2,a\n\"-0,25\",3,b\n",
    ] {
        let table = folder.read(text, &options()).unwrap();
        assert_eq!(names(&table), ["x", "y"], "{text:?}");
        assert_eq!(numbers(&table, 0), [1.5, -0.25], "{text:?}");
        assert_eq!(numbers(&table, 1), [2.0, 3.0], "{text:?}");
    }
    let said = ReadOptions {
        separator: Some(' '),
        ..options()
    };
    let table = folder.read("1 2 3\n4 5 6\n", &said).unwrap();
    assert_eq!(numbers(&table, 1), [2.0, 5.0]);
}

#[test]
fn quoted_fields_hold_separators_quotes_and_lines() {
    let folder = Folder::new();
    let text = "name,x,c\n\"a, \"\"b\"\"\",1,u\n\"two\nlines\",2,v\nlast,3,u\n";
    let table = folder.read(text, &options()).unwrap();
    let summary = table.describe();
    let categories = summary.columns[0].categories.clone().unwrap();
    assert_eq!(categories, ["a, \"b\"", "two\nlines", "last"]);
    let lines: Vec<_> = (0..3).map(|row| table.line(row).unwrap()).collect();
    assert_eq!(lines, [2, 3, 5]);
}

#[test]
fn lines_are_counted_with_any_ending() {
    let folder = Folder::new();
    for (text, expected) in [
        ("x,c\n1,a\n\n2,b\n", vec![2, 4]),
        ("x,c\r\n1,a\r\n\r\n2,b\r\n", vec![2, 4]),
        ("x,c\r\n1,a\r\n2,b", vec![2, 3]),
        ("x,c\n1,a\n2,b", vec![2, 3]),
        ("x,c\r1,a\r2,b\r", vec![2, 3]),
        ("1,a\n2,b\n", vec![1, 2]),
    ] {
        let table = folder.read(text, &options()).unwrap();
        let lines: Vec<_> = (0..2).map(|row| table.line(row).unwrap()).collect();
        assert_eq!(lines, expected, "{text:?}");
    }
}

#[test]
fn headers_are_found_out() {
    let folder = Folder::new();
    for (text, rows) in [
        ("a,b\n1,2\n3,4\n", 2),
        ("1,2\n3,4\n", 2),
        ("1,a\n2,b\n3,a\n", 3),
        ("colour,size\nred,small\nblue,large\nred,large\n", 3),
        ("red,small\nblue,large\nred,large\n", 3),
        // As data frames write columns without names.
        ("0,1,kind\n5,6,u\n7,8,v\n", 2),
        ("a,b\n?,2\nNA,4\n", 2),
        ("150,4,setosa\n1,2,0\n3,4,1\n", 2),
    ] {
        let table = folder.read(text, &options()).unwrap();
        assert_eq!(table.rows(), rows, "{text:?}");
    }
    let said = |header| ReadOptions {
        header: Some(header),
        ..options()
    };
    assert_eq!(
        folder.read("1,2\n3,4\n5,6\n", &said(true)).unwrap().rows(),
        2
    );
    assert_eq!(folder.read("a,b\nc,d\n", &said(false)).unwrap().rows(), 2);
}

#[test]
fn the_row_numbers_of_a_data_frame_are_left_out() {
    let folder = Folder::new();
    let table = folder
        .read(",x,c\n0,5,a\n1,6,b\n2,8,a\n", &options())
        .unwrap();
    assert_eq!(names(&table), ["x"]);
    let said = table.describe().to_string();
    assert!(
        said.contains("column 1 counts the rows: left out"),
        "{said}"
    );
    // Numbers that do not count rows stay.
    let table = folder
        .read(",x,c\n0,5,a\n1,6,b\n3,8,a\n", &options())
        .unwrap();
    assert_eq!(names(&table), ["column 1", "x"]);
}

#[test]
fn missing_values_are_filled_in_on_request() {
    let folder = Folder::new();
    let impute = ReadOptions {
        impute: true,
        scaling: Some(Scaling::None),
        ..options()
    };
    let text = "x,colour,c\n1,red,a\nNA,red,b\n5,?,a\n,blue,b\n4,red,a\n100,red,b\n";
    let table = folder.read(text, &impute).unwrap();
    let missing: Vec<_> = table.describe().columns.iter().map(|c| c.missing).collect();
    assert_eq!(missing, [2, 1]);
    let (preprocessing, examples) = ready(table, &impute);
    // The median of 1, 4, 5 and 100.
    assert_eq!(
        preprocessing.columns[0].rule,
        Rule::Number {
            mean: 0.0,
            scale: 1.0,
            fill: Some(4.5)
        }
    );
    assert_eq!(
        examples.x.column(0).to_vec(),
        [1.0, 4.5, 5.0, 4.5, 4.0, 100.0]
    );
    assert_eq!(examples.x.row(2).to_vec(), [5.0, 0.0, 1.0]);
    let restored = preprocessing.restore(examples.x.row(3));
    let blue = Restored::Category(Some("blue"));
    assert_eq!(restored, [("x", Restored::Number(4.5)), ("colour", blue)]);
}

#[test]
fn what_is_fitted_depends_on_the_training_rows_alone() {
    let folder = Folder::new();
    let impute = ReadOptions {
        impute: true,
        ..options()
    };
    let fit = |last: &str| {
        let text = format!("x,k,y\n1,u,0.5\n2,v,1.5\n7,u,2.25\n{last}\n");
        let table = folder.read(text, &impute).unwrap();
        (
            Preprocessing::fit(&table, &[0, 1, 2], &impute).unwrap(),
            table,
        )
    };
    let (expected, _) = fit("3,u,1.75");
    for last in ["-1e9,w,1e6", ",,3.5", "0.1,never seen,-7.5"] {
        assert_eq!(fit(last).0, expected, "{last}");
    }
    // A category that was not trained on is refused, or none.
    let (mut preprocessing, table) = fit("3,w,1.5");
    assert!(preprocessing.apply(table.clone()).is_err());
    preprocessing.unknown = Unknown::Zeros;
    let x = preprocessing.apply(table).unwrap().x;
    assert_eq!(x.row(3).to_vec()[1..], [0.0, 0.0]);
}

#[test]
fn preprocessing_survives_json_to_the_last_bit() {
    let folder = Folder::new();
    let mut rng = fastrand::Rng::with_seed(3);
    let impute = ReadOptions {
        impute: true,
        ..options()
    };
    // Many columns: a parser that is wrong in the last bit is so once in a hundred numbers.
    let columns = 100;
    let header: String = (0..columns).map(|i| format!("x{i},")).collect();
    let mut text = header + "k,y\n";
    for row in 0..30 {
        for column in 0..columns {
            let x = (rng.f64() - 0.5) * 10_f64.powi(column % 60 - 30);
            text += &if row % 9 == 0 {
                "?,".into()
            } else {
                format!("{x:e},")
            };
        }
        let kind = ["x", "y", "\u{1f600}"][row % 3];
        text += &format!("{kind},{}\n", rng.f64() * 1e-3);
    }
    let table = folder.read(text, &impute).unwrap();
    let (preprocessing, examples) = ready(table.clone(), &impute);
    for _ in 0..3 {
        let json = serde_json::to_string(&preprocessing).unwrap();
        let back: Preprocessing = serde_json::from_str(&json).unwrap();
        assert_eq!(back, preprocessing);
        let again = back.apply(table.clone()).unwrap();
        let bits = |x: &ndarray::Array2<f32>| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again.x), bits(&examples.x));
        assert_eq!(again.goal, examples.goal);
    }
}

#[test]
fn a_model_takes_columns_in_any_order_and_without_the_label() {
    let folder = Folder::new();
    let text = "x,k,z,label\n1,u,10,yes\n2,v,20,no\n3,u,40,yes\n";
    let (preprocessing, expected) = ready(folder.read(text, &options()).unwrap(), &options());
    let like = |text: &str, options: &ReadOptions| {
        let path = folder.write("new.csv", text);
        let table = read_like(&path, &preprocessing, options).unwrap();
        preprocessing.apply(table).unwrap()
    };
    // Another order, another separator, a column more.
    let other = "k;more;label;z;x\nu;7;yes;10;1\nv;8;no;20;2\nu;9;yes;40;3\n";
    assert_eq!(like(other, &options()), expected);
    for unlabelled in [
        "z,k,x\n10,u,1\n20,v,2\n40,u,3\n",
        // No header: by position.
        "1,u,10\n2,v,20\n3,u,40\n",
    ] {
        let examples = like(unlabelled, &options());
        assert_eq!(examples.x, expected.x, "{unlabelled}");
        assert_eq!(examples.goal, None, "{unlabelled}");
    }
    assert_eq!(
        like("1,u,10,yes\n2,v,20,no\n3,u,40,yes\n", &options()),
        expected
    );
    // A single row with a header is a row with a header.
    assert_eq!(
        like("x,k,z\n1,u,10\n", &options()).x.row(0),
        expected.x.row(0)
    );
    // Labels that are nonsense are not looked at.
    let ignored = like("x,k,z,label\n1,u,10,?\n", &target(&[]));
    assert_eq!((ignored.x.nrows(), ignored.goal), (1, None));
}

#[test]
fn a_model_without_column_names_takes_columns_by_position() {
    let folder = Folder::new();
    let options = ReadOptions {
        drop: strings(&["1"]),
        target: Some(strings(&["3"])),
        ..options()
    };
    let text = "9,1,0,5\n8,2,1,6\n7,4,0,8\n";
    let (preprocessing, expected) = ready(folder.read(text, &options).unwrap(), &options);
    let like = |text: &str| {
        let path = folder.write("new.csv", text);
        let table = read_like(&path, &preprocessing, &ReadOptions::default()).unwrap();
        preprocessing.apply(table).unwrap()
    };
    assert_eq!(like(text), expected);
    assert_eq!(like("1,5\n2,6\n4,8\n").x, expected.x);
    assert_eq!(like("a,b,c,d\n9,1,0,5\n8,2,1,6\n7,4,0,8\n"), expected);
}

#[test]
fn random_tables_survive_the_way_through_text() {
    let folder = Folder::new();
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (rows, columns) = (rng.usize(2..40), rng.usize(1..6));
        let separator = *rng.choice([',', ';', '\t', '|'].iter()).unwrap();
        let has_header = rng.bool();
        let end = if rng.bool() { "\n" } else { "\r\n" };
        let mut text = String::new();
        if has_header {
            (0..columns).for_each(|i| text += &format!("\"name {i}\"{separator}"));
            text = text + "class" + end;
        }
        let mut expected = vec![Vec::new(); columns];
        for row in 0..rows {
            for column in &mut expected {
                let value = match rng.u8(0..4) {
                    0 => f64::from(rng.u8(..)),
                    1 => f64::from(rng.i32(..)),
                    2 => (rng.f64() - 0.5) * 10_f64.powi(rng.i32(-300..300)),
                    _ => f64::from(rng.f32()),
                };
                column.push(value);
                text += &match rng.u8(0..3) {
                    0 => format!("{value:e}{separator}"),
                    1 => format!("\"{value}\"{separator}"),
                    _ => format!(" {value} {separator}"),
                };
            }
            let class = ["a", "b \"quoted\"", "c;d,e|f\tg"][row % 2 + usize::from(row == 1)];
            text += &format!("\"{}\"{end}", class.replace('"', "\"\""));
        }
        let packed = if rng.bool() {
            gzip(text.as_bytes())
        } else {
            text.clone().into()
        };
        let table = folder.read(packed, &options()).unwrap();
        assert_eq!(table.rows(), rows, "{seed}: {text}");
        for (i, column) in expected.iter().enumerate() {
            assert_eq!(&numbers(&table, i), column, "{seed}: {text}");
        }
    }
}

#[test]
fn numpy_arrays_are_read_with_a_column_or_a_file_to_learn() {
    let folder = Folder::new();
    let x = [
        1.5_f32, 2.0, 0.0, -1.0, 4.0, 1.0, 0.5, 8.0, 0.0, 3.5, 1.0, 1.0,
    ];
    let bytes: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let path = folder.write("x.npy", npy("'<f4'", "(4, 3)", &bytes));
    let table = read(&path, &options()).unwrap();
    assert_eq!(numbers(&table, 1), [2.0, 4.0, 8.0, 1.0]);
    let (preprocessing, _) = ready(table, &options());
    assert_eq!(preprocessing.class_names(), ["0", "1"]);
    // The labels in a file of their own.
    let y: Vec<u8> = [3_i64, 1, 3, 1]
        .iter()
        .flat_map(|y| y.to_le_bytes())
        .collect();
    let labelled = ReadOptions {
        labels: Some(folder.write("y.npy", npy("'<i8'", "(4,)", &y))),
        scaling: Some(Scaling::None),
        ..options()
    };
    let (preprocessing, examples) = ready(read(&path, &labelled).unwrap(), &labelled);
    assert_eq!(preprocessing.class_names(), ["1", "3"]);
    assert_eq!(examples.goal, Some(Goal::Classes(vec![1, 0, 1, 0])));
    assert_eq!(examples.x.iter().copied().collect::<Vec<_>>(), x);
    // And for a model, without any.
    let table = read_like(&path, &preprocessing, &ReadOptions::default()).unwrap();
    assert_eq!(preprocessing.apply(table).unwrap().x, examples.x);
}

#[test]
fn arrays_in_the_order_of_fortran_are_the_same() {
    let folder = Folder::new();
    let by_columns: Vec<u8> = [1.0_f64, 2.0, 3.0, 10.0, 20.0, 30.0]
        .iter()
        .flat_map(|x| x.to_be_bytes())
        .collect();
    let mut file = npy("'>f8'", "(3, 2)", &by_columns);
    let at = file.windows(5).position(|bytes| bytes == b"False").unwrap();
    file[at..at + 5].copy_from_slice(b"True ");
    let table = read(&folder.write("x.npy", file), &options()).unwrap();
    assert_eq!(numbers(&table, 0), [1.0, 2.0, 3.0]);
    assert_eq!((table.rows(), table.targets()[0].position), (3, 2));
    // All of its columns are inputs where the labels are elsewhere.
    let path = folder.path().join("x.npy");
    let labelled = ReadOptions {
        labels: Some(folder.write("y.npy", npy("'|u1'", "(3,)", &[0, 1, 0]))),
        task: Some(Task::Classes),
        scaling: Some(Scaling::None),
        ..options()
    };
    let (preprocessing, examples) = ready(read(&path, &labelled).unwrap(), &labelled);
    assert_eq!(examples.x, array![[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]);
    let table = read_like(&path, &preprocessing, &target(&[])).unwrap();
    assert_eq!(preprocessing.apply(table).unwrap().x, examples.x);
}

#[test]
fn archives_of_arrays_are_read() {
    use ndarray_npy::NpzWriter;
    let folder = Folder::new();
    for (x, y, is_packed) in [
        ("x", "y", true),
        ("x_train", "y_train", false),
        ("a", "b", true),
    ] {
        let path = folder.path().join("arrays.npz");
        let file = std::fs::File::create(&path).unwrap();
        let mut npz = if is_packed {
            NpzWriter::new_compressed(file)
        } else {
            NpzWriter::new(file)
        };
        npz.add_array(x, &array![[0_u8, 255], [51, 102], [1, 2]])
            .unwrap();
        npz.add_array(y, &array![0.5_f64, 0.25, 0.125]).unwrap();
        npz.finish().unwrap();
        let mut options = ReadOptions {
            scaling: Some(Scaling::Pixels),
            ..options()
        };
        if x == "a" {
            options.arrays = Some(("a".into(), "b".into()));
        }
        let (preprocessing, examples) = ready(read(&path, &options).unwrap(), &options);
        assert_eq!(
            examples.x,
            array![[0.0, 1.0], [0.2, 0.4], [1.0 / 255.0, 2.0 / 255.0]]
        );
        assert!(matches!(examples.goal, Some(Goal::Values(_))));
        // The model remembers how the arrays are called.
        let table = read_like(&path, &preprocessing, &ReadOptions::default()).unwrap();
        assert_eq!(preprocessing.apply(table).unwrap(), examples);
    }
}

#[test]
fn images_are_read_with_the_labels_beside_them() {
    let folder = Folder::new();
    let pixels: Vec<u8> = (0..24).map(|i| i * 10).collect();
    let images = idx(8, &[4, 2, 3], &pixels);
    let labels = idx(8, &[4], &[7, 2, 7, 9]);
    for name in ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"] {
        let path = if name.ends_with("gz") {
            folder.write("train-labels-idx1-ubyte.gz", gzip(&labels));
            folder.write(name, gzip(&images))
        } else {
            folder.write("train-labels-idx1-ubyte", &labels);
            folder.write(name, &images)
        };
        let table = read(&path, &options()).unwrap();
        assert_eq!(table.image(), Some([2, 3, 1]));
        let (preprocessing, examples) = ready(table.clone(), &options());
        // Few rows, and classes all the same.
        assert_eq!(preprocessing.class_names(), ["2", "7", "9"]);
        assert_eq!(examples.goal, Some(Goal::Classes(vec![1, 0, 1, 2])));
        assert_eq!(preprocessing.input_names()[5], "pixel 1,2");
        for (x, pixel) in examples.x.iter().zip(&pixels) {
            assert_eq!(*x, f32::from(*pixel) / 255.0);
        }
        let standardised = ReadOptions {
            scaling: Some(Scaling::Standardise),
            ..options()
        };
        let x = ready(table, &standardised).1.x;
        assert!(x.sum().abs() <= 1e-5);
        std::fs::remove_file(path).unwrap();
    }
}
