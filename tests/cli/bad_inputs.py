"""Every bad input a command can get, and the line it answers with.

``ROWS[command][parameter]`` is a list of (words, line). The words follow the option on the command
line, and further options may follow them; those of an argument are all the words after the
command. ``...`` in a line stands for anything. The files named are those that the fixture
``desk`` of test_bad_inputs.py lays out.
"""

OPTIMIZERS = (
    "optimizer must be one of bop, latent-sgd, latent-adam, bop2nd, cema, inertia-sgd, "
    "schmitt-sgd, double-well-sgd, bold, diode, latent-direction, directed-bop, integer-bop, sgd, "
    "adam, found "
)
RECIPES = "recipe must be one of bop-sec51, bop-sec52, latent-adam, ..., found "
DATASETS = "data set must be one of digits, cifar10, image-folder, npz:FILE, found "
MODELS = "--model must be one of binarynet, digits, binary_alexnet, xnornet, ..., found "
CORES = "threads must be an integer from 1 to ... (what this machine offers), found "
SIDE = "the image size must be an integer from 1 to 4096, found "
STATEMENTS = "there is no statement {}; the catalogue has E1, E2, ..., E37"
ONE = "--model digits of images 8x8x1: "
FIGURE = "a figure must end in .png, .pdf or .svg, found "
NO_HOME = ": there is no such home folder"
NOT_WHOLE = "Invalid value for '...': '{}' is not a valid integer... (see minibnn ... --help)"
NOT_REAL = "Invalid value for '...': '{}' is not a valid float. (see minibnn ... --help)"
KEYS = "{} is no key of a sweep; of bop: gamma, ...; of adam: real.lr, ..."

THREADS = [("0", CORES + "0"), ("4096", CORES + "4096")]
TRAINED = [  # a network that is none
    ("none", "none does not exist: expected a run folder or the file of a network"),
    ("''", ". is no run folder: it has no config.json"),
    ("begun", "begun has no checkpoint.npz yet"),
    ("both", "both compares several runs; name one: both/bop, both/cema"),
    ("cut.npz", "cut.npz is cut off or damaged, or no network or checkpoint of minibnn: ..."),
]
DRAWN = [  # runs that are none
    ("none", "none does not exist"),
    ("run none", "none does not exist"),
    ("broken", "broken/config.json is damaged: it is not JSON"),
    ("", "Missing argument 'RUN...'. (see minibnn ... --help)"),
]
TRAINING = {  # options of train, compare and sweep
    "--recipe": [("bop", RECIPES + "'bop'")],
    "--optimizer": [
        ("rop", OPTIMIZERS + "'rop'"),
        (
            "bop:gamma=step:1:0.1:200%",
            "bop: gamma: schedule step:1.0:0.1:200%: a span is a positive number of steps, such "
            "as 5000, of epochs, such as '100ep', or a share of the run up to '100%'; found '200%'",
        ),
        (
            "latent-sgd:initial=-1",
            "latent-sgd: initial must be a number >= 0, glorot_uniform, glorot_normal or a dict "
            "of arrays by parameter name; found '-1'",
        ),
    ],
    "--dataset": [
        ("mnist", DATASETS + "'mnist'"),
        ("npz:empty", "empty is a folder, not a file of numpy.savez"),
        ("npz:~nosuchuser/x.npz", "~nosuchuser/x.npz" + NO_HOME),
        ("npz:bits.npz", "bits.npz: expected an array 'train_images' (train_images, ...)"),
        ("image-folder", "image-folder needs a folder with train/ and val/: name it by --data-dir"),
    ],
    "--data-dir": [
        ("none --dataset cifar10", "none: expected CIFAR-10 (...), found no such folder"),
        ("text.txt --dataset cifar10", "text.txt: expected CIFAR-10 (...), found a file"),
        (
            "empty --dataset cifar10",
            "empty: expected CIFAR-10 (a folder cifar-10-batches-bin or cifar-10-batches-py, or "
            "an archive cifar-10-binary.tar.gz or cifar-10-python.tar.gz), found none of them",
        ),
        (
            "empty --dataset image-folder",
            "empty: expected folders train/ and val/, found no train/",
        ),
        ("~nosuchuser/x --dataset cifar10", "~nosuchuser/x" + NO_HOME),
        ("~nosuchuser/x --dataset image-folder", "~nosuchuser/x" + NO_HOME),
    ],
    "--image-size": [
        ("8", "an image size can be chosen for image-folder only, not for 'digits'"),
        ("0 --dataset image-folder --data-dir empty", SIDE + "0"),
    ],
    "--test-share": [
        ("0.2", "a share for testing can be chosen for image-folder only, not for 'digits'"),
        ("x", NOT_REAL.format("x")),
    ],
    "--model": [
        ("resnet", MODELS + "'resnet'"),
        (
            "binarynet",
            "--model binarynet of images 8x8x1: max_pool3: a window of 2x2 without padding needs "
            "an image of at least that size, found 1x1",
        ),
        (
            "xnornet --filters 4",
            "--model xnornet of images 8x8x1: filters of xnornet must be ... of 3, found 4",
        ),
    ],
    "--filters": [
        ("0", ONE + "filters must be an integer from 1 on, found 0"),
        (
            "1000000000",
            ONE + "digits: its arrays take 18,000,0... GB, and while "
            "they are made more memory than the ... GB there are",
        ),
        ("4 --width 0.5", "--width scales --filters: give one of them"),
    ],
    "--dense-units": [
        ("0", ONE + "units must be an integer from 1 on, found 0"),
        ("4 --width 0.5", "--width scales --dense-units: give one of them"),
        ("4 --model birealnet", "--dense-units: birealnet has no such setting"),
    ],
    "--bn-momentum": [
        ("nan", ONE + "momentum must be in [0, 1), found nan"),
        ("0.9 --model birealnet", "--bn-momentum: birealnet has no such setting"),
    ],
    "--width": [
        ("0", "width must be a number in (0, 16], such as 0.25, found 0.0"),
        ("0.001", "width 0.001 leaves nothing of filters 64: choose more"),
        ("wide", NOT_REAL.format("wide")),
    ],
    "--gradients": [
        ("int11", ONE + "gradients must be float32 or int2 to int10 ..., found 'int11'")
    ],
    "--epochs": [
        ("0", "epochs must be an integer from 1 on, found 0"),
        ("1.5", NOT_WHOLE.format("1.5")),
    ],
    "--batch-size": [
        ("0", "batch_size must be an integer from 1 on, found 0"),
        ("5000", "batch_size must be an integer from 1 to 1437, found 5000"),
    ],
    "--seed": [
        ("-1", "seed must be an integer from 0 on, found -1"),
        (str(1 << 63), f"seed must be at most {(1 << 63) - 1}, found {1 << 63}"),
    ],
    "--validation": [
        ("-1", "validation must be an integer from 0 on, found -1"),
        ("1437", "the number of validation images must be an integer from 1 to 1436, found 1437"),
    ],
    "--real-optimizer": [
        ("rop", OPTIMIZERS + "'rop'"),
        ("bop", "split: real must train real parameters; found Bop(...)"),
    ],
    "--threads": THREADS,
    "--out": [
        ("''", "--out must be the name of a folder, found ''"),
        ("text.txt", "out must be a folder, and text.txt is a file"),
        ("text.txt/run", "text.txt/run: Not a directory"),
        ("swept", "swept holds a sweep, not a run: name another folder"),
        ("swept --force", "swept holds a sweep, not a run: name another folder"),
        ("run", "run already holds a run; go on with it (resume), replace it (force) or name ..."),
    ],
    "--checkpoint-every": [("0", "checkpoint_every must be an integer from 1 on, found 0")],
    "--checkpoint-minutes": [
        ("0", "checkpoint_minutes must be a number above 0, found 0.0"),
        ("inf", "checkpoint_minutes must be a number above 0, found inf"),
    ],
}
# Of commands that share options and what checks them with train, the first row of each option.
SHARED = {option: rows[:1] for option, rows in TRAINING.items()}
SET = [
    ("gamma", "--set must be NAME=VALUE, such as gamma=1e-3, found 'gamma'"),
    ("gamma=", "--set must be NAME=VALUE, such as gamma=1e-3, found 'gamma='"),
    ("=1", "--set must be NAME=VALUE, such as gamma=1e-3, found '=1'"),
    ("gamma=1 --set gamma=1", "--set: gamma is given twice"),
    ("gama=1", "bop takes gamma, threshold, rule, average, initial; found 'gama'"),
    ("gamma=7", "bop: gamma must be a number in (0, 1] or a schedule; found '7'"),
    ("real.lr=-1", "adam: lr must be a number in (0, inf) or a schedule; found '-1'"),
]
NO_RECIPE = ("''", RECIPES + "''")
NOT_BINARY = ("adam", "split: binary must train binary parameters; found Adam(...)")
ROWS = {
    "train": TRAINING
    | {
        "--recipe": [*TRAINING["--recipe"], NO_RECIPE],
        "--optimizer": [*TRAINING["--optimizer"], NOT_BINARY],
        "--set": SET,
        "--resume": [
            ("", "--resume needs --out FOLDER, the run to go on with"),
            ("--out none", "there is no run to resume: the folder none does not exist"),
            ("--out empty", "empty holds no run yet: spell out all the options"),
            ("--force --out none", "resume goes on with a run, force discards it: choose one"),
            (
                "--out run",
                "run was started from Python: go on with it there (resume=True), or spell out all "
                "the options",
            ),
            ("--out run --dataset digits", "run holds another run: ..."),
            ("--out broken", "broken/config.json is damaged: it is not JSON"),
        ],
        "--mpi": [("", "training on several MPI ranks has to be started as: mpiexec -n N ...")],
    },
    "compare": SHARED
    | {
        "--recipe": [
            *SHARED["--recipe"],
            ("''", RECIPES + "''"),
            ("cema --recipe cema", "--optimizer: two are named 'cema', give each its own name"),
        ],
        "--optimizer": [
            *SHARED["--optimizer"],
            NOT_BINARY,
            ("a=bop --optimizer a=cema", "--optimizer: two are named 'a', give each its own name"),
            ("../a=bop", "a run's name must be made of letters, ..., found '../a'"),
            ("=bop", "a run's name must be made of letters, ..., found ''"),
            (
                "config.json=bop",
                "a run's name must be ... not end as a file's, found 'config.json'",
            ),
            ("recipe:x", RECIPES + "'x'"),
            (
                "recipe:bop-sec51,lr=1",
                "bop takes gamma, threshold, rule, average, initial; found 'lr'",
            ),
        ],
        "--preset": [
            ("twins", "--preset must be one of sgd-decay-is-bop, ..., found 'twins'"),
            ("inertia --recipe cema", "--preset has its own settings: leave --recipe out"),
            ("inertia --tensorboard", "--preset has its own settings: leave --tensorboard out"),
            (
                "mirror --model birealnet",
                "presets take networks of binary layers alone, found conv1",
            ),
            ("inertia --checkpoint-every 2", "--preset ...: leave --checkpoint-every out"),
        ],
        "--steps": [
            ("5", "--steps belongs to --preset; without one, choose --epochs"),
            ("0", "Invalid value for '--steps': 0 is not in the range x>=1. (...)"),
        ],
    },
    "sweep": SHARED
    | {
        "--recipe": [*SHARED["--recipe"], NO_RECIPE],
        "--optimizer": [
            *SHARED["--optimizer"],
            ("adam", "gamma is no key of a sweep; of adam: lr, ..."),
        ],
        "--seed": [
            ("-1", "a seed must be an integer from 0 to ..., found -1"),
            (str(1 << 63), f"a seed must be an integer from 0 to {(1 << 63) - 1}, found {1 << 63}"),
        ],
        "--threads": [("4096", "threads must be an integer from 1 to ..., found 4096")],
        "--out": [
            ("''", "--out must be the name of a folder, found ''"),
            ("text.txt", "out must be a folder, and text.txt is a file"),
            ("text.txt/sweep", "text.txt/sweep...: Not a directory"),
            ("run", "run holds ..."),
        ],
        "--set": [
            *SET[:1],
            ("gamma=1 --grid optimizer=bop", "--set changes one optimizer, and the sweep ..."),
        ],
        "--grid": [
            ("gamma", "--grid: expected KEY=VALUE,VALUE,..., found 'gamma'"),
            ("gamma=", "--grid: expected KEY=VALUE,VALUE,..., found 'gamma='"),
            ("=1", "--grid: expected KEY=VALUE,VALUE,..., found '=1'"),
            ("gamma=1,,2", "--grid: expected KEY=VALUE,VALUE,..., found 'gamma=1,,2'"),
            ("gamma=1 --grid gamma=2", "--grid: gamma is given twice"),
            ("gama=1", KEYS.format("gama")),
            ("gamma=2", "bop: gamma must be a number in (0, 1] or a schedule; found '2'"),
            ("gamma=1,1.0", "gamma has the value 1 twice"),
            ("gamma=log:1e-3:1", "gamma=log:1e-3:1 is a range to draw from: it needs --random N"),
            ("epochs=0", "epochs must be an integer from 1 on, found 0"),
            ("batch-size=1.5", "batch-size must be an integer from 1 on, found 1.5"),
            ("batch-size=50,5000", "batch_size must be an integer from 1 to 1437, found 5000"),
            ("width=0", "width must be a number in (0, 16], such as 0.25, found 0"),
            ("width=0.5,1 --filters 8", "--width scales --filters: give one of them"),
            ("augment=maybe", "augment must be yes or no, found 'maybe'"),
            ("cutout=1", "cutout must be yes or no, found 1"),
            ("bn-momentum=1", "momentum must be in [0, 1), found 1"),
            ("bn-momentum=no", "momentum must be in [0, 1), found 'no'"),
            ("optimizer=rop", OPTIMIZERS + "'rop'"),
            ("dataset=digits,mnist", DATASETS + "'mnist'"),
            ("recipe=bop-sec51,bop-sec99", RECIPES + "'bop-sec99'"),
            ("model=resnet", MODELS + "'resnet'"),
            ("seed=1,2", "seed is no key of a sweep: seeds are given by --seeds"),
            (
                f"epochs={','.join(map(str, range(1, 200)))} "
                f"--grid filters={','.join(map(str, range(1, 200)))}",
                "a sweep of 39,601 cells: 10,000 are the most",
            ),
        ],
        "--scan": [
            ("gamma", "--scan: expected KEY=VALUE,VALUE,..., found 'gamma'"),
            ("gama=1", KEYS.format("gama")),
            ("gamma=1 --grid gamma=0.5", "gamma is in the grid and in the scan: choose one"),
            (
                "gamma=1e-3,1e-4 --grid optimizer=bop,latent-sgd",
                "gamma is no key of a sweep; of latent-sgd: lr, ...; of adam: real.lr, ...",
            ),
        ],
        "--random": [
            ("0 --grid gamma=1", "random must be an integer from 1 on, found 0"),
            ("20000 --grid gamma=log:1e-5:1e-2", "a sweep of 20,000 cells: 10,000 are the most"),
            ("9 --grid gamma=1", "random must be at most 1, the size of the grid, found 9"),
            (
                "2 --grid gamma=log:0:1",
                "gamma: a range is log:LOW:HIGH with 0 < LOW < HIGH, or uniform:LOW:HIGH with "
                "LOW < HIGH, found 'log:0:1'",
            ),
            (
                "1 --grid gamma=1 --scan threshold=1",
                "random cells are drawn from the grid: leave the scan out",
            ),
        ],
        "--seeds": [
            ("1,x", "--seeds must be integers like 0,1,2, found '1,x'"),
            ("1,1", "seeds must be different integers, found [1, 1]"),
        ],
        "--executor": [
            ("slurm", "Invalid value for '--executor': 'slurm' is not one of 'processes', ..."),
            ("mpi", "the executor mpi ..."),
        ],
        "--jobs": [
            ("0", "jobs must be an integer from 1 to 1, found 0"),
            ("2 --executor mpi", "--jobs belongs to --executor processes; mpi has its own workers"),
        ],
        "--scheduler": [("tcp://host:8786", "--scheduler belongs to --executor dask")],
        "--resume": [
            ("", "--resume needs --out FOLDER, the sweep to go on with"),
            ("--force --out none", "resume goes on with a sweep, force discards it: choose one"),
        ],
    },
    "plot": {
        "RUN...": DRAWN,
        "--out": [
            ("plot.gif", FIGURE + "plot.gif"),
            ("none/plot.png", "none/plot.png: the folder none does not exist"),
            ("folder.png", "a figure must be a file, and folder.png is a folder"),
        ],
    },
    "report": {
        "RUN...": DRAWN[:2],
        "--out": [
            ("page.txt", "a report must end in .html or .htm, found page.txt"),
            ("none/page.html", "none/page.html: the folder none does not exist"),
            ("folder.html", "a report must be a file, and folder.html is a folder"),
        ],
        "--threads": THREADS[:1],
    },
    "info": {
        "RUN|FILE": [
            ("none", "none does not exist: expected a run folder or the file of a network"),
            ("empty", "empty is no run folder: it has no config.json, nor have folders below it"),
            ("broken", "broken/config.json is damaged: it is not JSON"),
            *[
                (name, f"{name} is no run folder, checkpoint, saved, packed or ONNX network")
                for name in ("text.txt", "cats.npz", "cut.npz", "image.png")
            ],
            ("", "Missing argument 'RUN|FILE'. (see minibnn info --help)"),
            ("net.npz run", "Got unexpected extra argument (run) (see minibnn info --help)"),
        ]
    },
    "evaluate": {
        "RUN|FILE": [*TRAINED, ("", "Missing argument 'RUN|FILE'. (see minibnn ... --help)")],
        "--dataset": [
            *SHARED["--dataset"],
            ("npz:cats.npz", "the network takes (8, 8, 1), and the images of cats are (9, 9, 1)"),
        ],
        "--data-dir": SHARED["--data-dir"],
        "--image-size": SHARED["--image-size"],
        "--batch-size": [
            ("0", "Invalid value for '--batch-size': 0 is not in the range x>=1. (...)")
        ],
        "--threads": THREADS[:1],
        "--out": [("plot.gif", FIGURE + "plot.gif")],
    },
    "export": {
        "RUN": [
            *[(f"{words} new.npz --to packed", line) for words, line in TRAINED[:2]],
            (
                "bits.npz new.npz --to packed",
                "bits.npz is packed already: name the run it comes from",
            ),
        ],
        "FILE": [
            ("net.npz --to packed", "Missing argument 'FILE'. (see minibnn export --help)"),
            (
                "net.npz bits.npz --to packed",
                "bits.npz exists already; replace it (--force) or name another file",
            ),
            ("net.npz empty --to larq", "FILE must be a file, and empty is a folder"),
            ("net.npz '' --to larq", "FILE must be a file, and . is a folder"),
            ("net.npz none/a.npz --to larq", "none/a.npz: the folder none does not exist"),
            ("net.npz text.txt/a --to larq", "text.txt/a: the folder text.txt does not exist"),
        ],
        "--to": [
            ("tflite", "Invalid value for '--to': 'tflite' is not one of 'packed', ... (...)")
        ],
    },
    "predict": {
        "--model": [
            ("lenet x.png", "a pretrained network must be one of digits, ..., found 'lenet'")
        ],
        "FILE|RUN": [(f"{words} image.png", line) for words, line in TRAINED[:2]],
        "IMAGE...": [
            ("bits.npz", "Missing argument 'IMAGE...'. (see minibnn predict --help)"),
            ("bits.npz none.png", "none.png: cannot be read (No such file or directory)"),
            ("bits.npz image.png ''", "'': cannot be read (No such file or directory)"),
            ("bits.npz empty", "empty: cannot be read (Is a directory)"),
            ("bits.npz text.txt", "text.txt: not an image of a known format"),
            ("bits.npz cut.png", "cut.png: damaged: ..."),
        ],
        "--top": [("0", "Invalid value for '--top': 0 is not in the range x>=1. (...)")],
        "--threads": THREADS[:1],
    },
    "recipes": {"[name]": [("bop", RECIPES + "'bop'"), ("''", RECIPES + "''")]},
    "verify": {
        "[ids ...]": [("E99", STATEMENTS.format("'E99'")), ("E1 ''", STATEMENTS.format("''"))],
        "--examples": [("0", "examples must be an integer from 1 on, found 0")],
        "--seed": [("-1", "seed must be an integer from 0 on, found -1")],
        "--backend": [
            ("torch", "Invalid value for '--backend': 'torch' is not one of 'reference', ... (...)")
        ],
        "--explain": [
            ("E99", STATEMENTS.format("'E99'")),
            ("E1 E2", "--explain takes one statement, found E2 beside it"),
        ],
    },
    "discover": {
        "A": [
            ("", "Missing argument 'A'. (see minibnn discover --help)"),
            ("rop bop", "step functions are sgd, ... and MODULE:FUNCTION; found 'rop'"),
        ],
        "B": [
            ("bop none:x", "none:x is no step function: No module named 'none'"),
            ("bop sys:path", "sys:path is no step function: ..."),
            ("bop os:getcwd", "os:getcwd is no step function: ..."),
            ("bop numpy:add", "add has 38,795,193 candidates, and more than ..."),
        ],
        "--given": [("''", "--given must be the name of a constant, found ''")],
        "--seed": [("-1", "Invalid value for '--seed': -1 is not in the range x>=0. (...)")],
    },
    "bench": {
        "--gradients": [
            (
                "int9",
                "Invalid value for '--gradients': 'int9' is not one of 'float32', 'int8'. (...)",
            )
        ],
        "--figure": [
            ("a.png", "--figure belongs to --only scaling"),
            ("a.gif --only scaling", FIGURE + "a.gif"),
        ],
        "--only": [("disk", "Invalid value for '--only': 'disk' is not one of 'products', ...")],
        "--filters": [
            ("5000", "Invalid value for '--filters': 5000 is not in the range 1<=x<=4096. (...)")
        ],
        "--batch-size": [
            ("65537", "Invalid value for '--batch-size': 65537 is not in the range 1<=x... (...)")
        ],
        "--threads": THREADS[:1],
    },
    "compile": {
        "--model": [("lenet", MODELS + "'lenet'")],
        "--gradients": [("int11", "gradients must be float32 or int2 to int10 ..., found 'int11'")],
        "--optimizer": [("rop", OPTIMIZERS + "'rop'")],
    },
}
GROUP = [  # of minibnn itself
    ("fly", "No such command 'fly'. (see minibnn --help)"),
    ("--speed 9", "No such option '--speed'. (see minibnn --help)"),
    ("train --speed 9", "No such option '--speed'. ... (see minibnn train --help)"),
    ("train extra", "Got unexpected extra argument (extra) (see minibnn train --help)"),
    ("train --epochs", "Option '--epochs' requires an argument."),
    ("train --resume=1", "Option '--resume' does not take a value."),
    ("evaluate bits.npz b", "Got unexpected extra argument (b) (see minibnn evaluate --help)"),
    (
        "export net.npz b",
        "Missing option '--to'. Choose from: packed, onnx, larq (see minibnn export --help)",
    ),
    ("sweep", "a sweep needs something to vary: a grid or a scan"),
    ("sweep --resume --out none", "none is no sweep's folder: it has no sweep.json"),
    *[
        (
            f"sweep --resume --out none --{name} gamma=1",
            f"--resume goes on with the sweep as it is: leave --{name} out",
        )
        for name in ("grid", "scan", "set")
    ],
    ("compare --no-tensorboard x", "Got unexpected extra argument (x) (see minibnn ... --help)"),
]
