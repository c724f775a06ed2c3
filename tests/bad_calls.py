"""Every public function and class, called wrongly, and the line of the InputError it answers with.

``CALLS[name]`` is a list of (call, line). ``...`` in a line stands for anything. The calls are
expressions in the names that ``names`` of test_bad_calls.py gives: bnn, its rooms, images
(4, 8, 8, 1), labels (4,), dataset, net (for them), folder; and fit, arrays, sweep and others, which
are right until an argument is given.
"""

GAMMA = "{}: gamma must be a number in (0, 1] or a schedule; found 2"
LR = "{}: lr must be a number in (0, inf) or a schedule; found -1"
SPAN = "schedule ...: a span is a positive number of steps, ...; found {}"
FINITE = "schedule ...: {} must be finite, found {}"

CALLS = {
    "load": [
        ("bnn.load(folder / 'none.npz')", "...none.npz does not exist"),
        ("bnn.load(folder)", "... is no run folder: it has no config.json"),
        ("bnn.load(b'x')", "path must be a text or a path, found b'x'"),
    ],
    "fit": [
        ("fit(optimizer=optim.Adam)", "an optimizer must be one of ..., found <class ..."),
        ("fit(callbacks=training.EarlyStopping)", "a callback must be ..., found <class ..."),
        ("fit(options=3)", "options must be a dict, found 3"),
        ("fit(epochs=0)", "epochs must be an integer from 1 on, found 0"),
        ("fit(epochs=1.5)", "epochs must be an integer from 1 on, found 1.5"),
        ("fit(epochs=True)", "epochs must be an integer from 1 on, found True"),
        ("fit(batch_size=5)", "batch_size must be an integer from 1 to 4, found 5"),
        ("fit(seed=-1)", "seed must be an integer from 0 on, found -1"),
        ("fit(validation=4)", "the number of validation ... 1 to 3, found 4"),
        ("fit(loss='mse')", "loss must be one of ..., found 'mse'"),
        ("fit(augment='all')", "augment must be ..., found 'all'"),
        ("fit(checkpoint_every=0)", "checkpoint_every must be an integer from 1 on, found 0"),
        ("fit(checkpoint_minutes=-1)", "checkpoint_minutes must be a number above 0, found -1"),
        ("fit(callbacks=[1])", "a callback must be callable or have on_epoch_end(run, row), ..."),
        ("fit(threads=0)", "threads must be an integer from 1 to ..., found 0"),
        ("fit(threads=float('inf'))", "threads must be an integer from 1 to ..., found inf"),
        ("fit(resume=True)", "resume needs out..."),
        ("fit(optimizer=optim.Bop())", "...batch_norm1/beta..."),
        ("fit(optimizer='bop')", "an optimizer must be one of minibnn.optim, found 'bop'"),
        ("fit(net='net')", "the network must be a Sequential, found 'net'"),
        ("fit(data=images)", "the data must be a Dataset of minibnn.data, found array(..."),
        ("fit(net=other)", "the network takes images 4x4x1, ..."),
    ],
    "lockstep": [
        ("lockstep(optimizers={})", "optimizers must be a dict by name, not empty, found {}"),
        ("lockstep(optimizers=optim.Bop())", "optimizers must be a dict ..., found Bop(..."),
        ("lockstep(optimizers={'../a': both()})", "a run's name must be ..."),
    ],
    "evaluate": [
        ("evaluate(images)", "evaluate takes a Dataset, ...; labels are missing"),
        ("evaluate(images, labels[:2])", "labels must be one per image ..., found (2,) ..."),
        ("evaluate(images, labels + 99)", "labels must be ..."),
        ("evaluate(dataset, labels)", "labels must be one per image and at least one, ..."),
        ("evaluate(dataset, batch_size=0)", "batch_size must be an integer from 1 on, found 0"),
        ("evaluate(dataset, loss='mse')", "loss must be one of ..., found 'mse'"),
    ],
    "use_backend": [
        ("bnn.use_backend('cuda')", "backend must be one of reference, numba, found 'cuda'"),
        ("bnn.use_backend([])", "backend must be one of reference, numba, found []"),
    ],
    "data.load": [
        ("data.load('mnist')", "data set must be one of ..., found 'mnist'"),
        ("data.load(None)", "data set must be one of ..., found None"),
        ("data.load('npz:none.npz')", "none.npz does not exist"),
        ("data.load('digits', image_size=8)", "an image size can be chosen for image-folder..."),
        ("data.load('cifar10', folder / 'none')", "...none: expected CIFAR-10 (...), found ..."),
        ("data.load('image-folder')", "image-folder needs a folder with train/ and val/: ..."),
        ("data.load('image-folder', folder, workers=0)", "workers must be ... 1 to 256, found 0"),
    ],
    "data.from_arrays": [
        ("arrays(train_images=labels)", "train_images must be images ..., found shape (4,)"),
        ("arrays(train_labels=labels[:3])", "train_labels must be 4 integers ..., found ... (3,)"),
        ("arrays(train_labels=labels - 1)", "train_labels must be from 0 ..."),
        ("arrays(train_labels=labels / 2)", "train_labels must be 4 ..., found float64 ..."),
        ("arrays(test_images=images[:, :4])", "test_images must have the height, width and ..."),
        ("arrays(train_images=images / 4)", "train_images must lie in [-1, 1] if floats, ..."),
        ("arrays(classes='ab')", "classes must be a sequence of names (strings), found 'ab'"),
        ("arrays(classes=['a', 'a'])", "classes must be different names, found one of them twice"),
        ("arrays(classes=['a'])", "train_labels must be below 1, the classes, found 1"),
        ("arrays(train_images=[[1], [1, 2]])", "train_images must be an array, ..."),
    ],
    "data.Batches": [
        ("data.Batches(images, labels, 0)", "batch_size must be an integer from 1 to 4, found 0"),
        (
            "data.Batches(images, labels[:2], 1)",
            "labels must be 4 integers (one per image), found int64 of shape (2,)",
        ),
        ("data.Batches(images, labels, 1, seed=-1)", "seed must be an integer from 0 on, found -1"),
        ("data.Batches(images, labels, 1, augment='all')", "augment must be ..., found 'all'"),
    ],
    "data.pad_crop_flip": [
        ("data.pad_crop_flip(images[0], g, g)", "images ... must be uint8 (N, H, W, C), found ..."),
        ("crop(offsets=np.ones((2, 2)))", "offsets and flips must be ..., found (2, 2) and (4,)"),
        ("crop(offsets=np.full((4, 2), 9))", "offsets must ..."),
        (
            "crop(flips=np.zeros(3, bool))",
            "offsets and flips must be (4, 2) and (4,), found ... (3,)",
        ),
    ],
    "deploy.load": [("deploy.load(folder / 'none.npz')", "...none.npz does not exist")],
    "deploy.pack": [
        ("deploy.pack('net')", "what is packed must be a Sequential, found 'net'"),
        ("deploy.pack(net, classes=['a'])", "classes must ..."),
    ],
    "deploy.PackedNetwork": [
        ("deploy.pack(net).forward(images[:, :4])", "inputs must have shape (N, 8, 8, 1), ...")
    ],
    "equivalences.verify": [
        ("verify([4])", "there is no statement '4'; the catalogue has E1, ..."),
        ("verify(examples=0)", "examples must be an integer from 1 on, ..."),
        ("verify(seed=-1)", "seed must be an integer from 0 on, ..."),
        ("verify(rule='lax')", "rule must be one of strict, ..., found 'lax'"),
        ("verify(average='x')", "average must be one of ..., found 'x'"),
        ("verify(backend='x')", "backend must be one of ..., found 'x'"),
        ("verify(5)", "ids must be ..., found 5"),
        ("verify(bop_step=3)", "bop_step must be callable, found 3"),
    ],
    "equivalences.chosen": [
        ("equivalences.chosen('E0')", "there is no statement 'E0'; the catalogue has E1, ...")
    ],
    "nn.Sequential": [
        ("nn.Sequential([nn.Flatten()], (0, 8, 1))", "input_shape must be ..., found (0, 8, 1)"),
        ("nn.Sequential([nn.Flatten()], 8)", "input_shape must be positive integers, found 8"),
        ("nn.Sequential([3], (8,))", "layers must be layers of minibnn.nn, found 3"),
        ("nn.Sequential(3, (8,))", "layers must be a list of layers, found 3"),
        (
            "nn.Sequential([nn.BinaryDense(2)], (8, 8, 1))",
            "BinaryDense takes vectors (put Flatten before)...",
        ),
        ("nn.Sequential([nn.BinaryConv2D(2, 3)], (8,))", "BinaryConv2D takes images (height, ..."),
        ("nn.Sequential([nn.Flatten()], (8,), seed=-1)", "seed must be an integer from 0 ..."),
        ("nn.Sequential(net.layers, (8, 8, 1))", "conv1 already belongs to a network: ..."),
        ("net.forward(images[:, :4])", "inputs must have shape (N, 8, 8, 1), found (4, 4, 8, 1)"),
        ("net.forward(images[:0])", "inputs must have shape (N, 8, 8, 1), found (0, 8, 8, 1)"),
        ("net.forward(images.astype(int))", "inputs must be uint8 bytes or float32, found int64"),
        ("net.load_state_dict({})", "array ... is missing"),
        ("nn.Sequential.from_config({'kind': 'x'})", "a network's configuration must be ..."),
        ("nn.Sequential.from_config(None)", "a network's configuration must be a dict of ..."),
        ("net.save(folder / 'none' / 'a')", "cannot write ...a: No such file or directory"),
        ("net.predict(images, batch_size=0)", "batch_size must be an integer from 1 on, found 0"),
    ],
    "nn.Residual": [
        (
            "nn.Sequential([nn.Residual([nn.Conv2D(3, 1)])], (8, 8, 1))",
            "Residual adds equal shapes, found body (8, 8, 3), shortcut (8, 8, 1)",
        ),
        ("nn.Residual([3])", "layers must be layers of minibnn.nn, found 3"),
    ],
    "nn.BinaryDense": [
        ("nn.BinaryDense(0)", "units must be an integer from 1 on, found 0"),
        ("nn.BinaryDense(2, 'sign')", "kernel_quantizer must be one of ..., found 'sign'"),
    ],
    "nn.Dense": [
        ("nn.Dense(-1)", "units must be an integer from 1 on, found -1"),
        ("nn.Dense(2, kernel_initializer='he')", "kernel_initializer must be ..., found 'he'"),
        ("nn.Dense(2, l2=-1)", "l2 must be a number from 0 on, found -1"),
        ("nn.Dense(2, l2=float('nan'))", "l2 must be a number from 0 on, found nan"),
    ],
    "nn.BinaryConv2D": [
        ("nn.BinaryConv2D(0, 3)", "filters must be an integer from 1 on, found 0"),
        ("nn.BinaryConv2D(2, 0)", "kernel_size must be one or two positive integers, found 0"),
        ("nn.BinaryConv2D(2, (3, 3, 3))", "kernel_size must be one or two positive ..."),
        ("nn.BinaryConv2D(2, 3, 0)", "strides must be one or two positive integers, found 0"),
        ("nn.BinaryConv2D(2, 3, padding='x')", "padding must be one of same, ..., found 'x'"),
        ("nn.BinaryConv2D(2, 3, pad_value=-1)", "pad_value must be 0 or 1, found -1"),
    ],
    "nn.Conv2D": [
        ("nn.Conv2D(2.5, 3)", "filters must be an integer from 1 on, found 2.5"),
        ("nn.Conv2D(2, 3, l2='a')", "l2 must be a number from 0 on, found 'a'"),
    ],
    "nn.BatchNorm": [
        ("nn.BatchNorm(momentum=1)", "momentum must be in [0, 1), found 1"),
        ("nn.BatchNorm(momentum='a')", "momentum must be in [0, 1), found 'a'"),
        ("nn.BatchNorm(epsilon=0)", "epsilon must be a float32 above 0, found 0"),
        ("nn.BatchNorm(epsilon=1e-60)", "epsilon must be a float32 above 0, found 1e-60"),
    ],
    "nn.MaxPool2D": [
        ("nn.MaxPool2D(0)", "pool_size must be one or two positive integers, found 0"),
        ("nn.MaxPool2D(17)", "pool_size must cover at most 256 pixels, found (17, 17)"),
        ("nn.MaxPool2D(2, padding='x')", "padding must be one of same, valid, found 'x'"),
    ],
    "nn.AvgPool2D": [
        ("nn.AvgPool2D('ab')", "pool_size must be one or two positive integers, found 'ab'"),
        ("nn.AvgPool2D(2, 0)", "strides must be one or two positive integers, found 0"),
    ],
    "nn.Sign": [
        ("nn.Sign('tanh')", "quantizer must be one of ste_sign, ..., found 'tanh'"),
        ("nn.Sign({'name': 'ste_sign', 'beta': 1})", "quantizer ste_sign does not take beta"),
        ("nn.Sign({'name': 'ste_sign', 'clip_value': 'a'})", "clip_value must be ..., found 'a'"),
        ("nn.Sign({'name': 'swish_sign', 'beta': -1})", "beta must be a number above 0, found -1"),
    ],
    "nn.Parameter": [
        ("net.parameters()[0].assign(g)", "conv1/kernel must have shape (3, 3, 1, 2), found (3,)"),
        (
            "net.parameters()[0].assign(np.zeros((3, 3, 1, 2)))",
            "conv1/kernel is binary: every entry must be +1 or -1, found 0.0",
        ),
    ],
    "nn.softmax_cross_entropy": [
        ("nn.softmax_cross_entropy(np.zeros((4, 2)), labels[:2])", "labels must ..."),
        ("nn.softmax_cross_entropy(np.zeros((4, 2)), labels + 2)", "labels must ..."),
        ("nn.softmax_cross_entropy(np.zeros(4), labels)", "logits must ..."),
        ("nn.squared_hinge(np.zeros((0, 2)), labels[:0])", "logits must ..."),
    ],
    "nn.squared_hinge": [("nn.squared_hinge(np.zeros((4, 2)), labels - 2)", "labels must ...")],
    "nn.register": [
        ("nn.register(3)", "register takes a name, as in @register('half'), found 3"),
        ("nn.register('x')(3)", "register takes a layer, a quantizer or a function, found 3"),
        (
            "nn.register('Dense')(type('Mine', (nn.Layer,), {}))",
            "minibnn has a 'Dense' of its own: choose another name",
        ),
    ],
    "nn.load_network": [
        ("nn.load_network(folder / 'none.npz')", "...none.npz does not exist"),
        ("nn.load_network(folder)", "... is a folder, not a network or checkpoint of minibnn"),
        ("nn.load_network(folder / 'text.txt')", "... is cut off or damaged, or no network ..."),
    ],
    "optim.Bop": [
        ("optim.Bop(gamma=2)", GAMMA.format("bop")),
        ("optim.Bop(initial=1e39)", "bop: initial must be ...; found 1e+39"),
        ("optim.Bop(initial=10**400)", "bop: initial must be ...; found 1000..."),
        ("optim.Bop(gamma=True)", "bop: gamma must be ...; found True"),
        ("optim.Bop(threshold=-1)", "bop: threshold must be a number in [0, inf) ...; found -1"),
        ("optim.Bop(rule='lax')", "bop: rule must be one of strict, inclusive, larq, found 'lax'"),
        ("optim.Bop(initial='big')", "bop: initial must be ...; found 'big'"),
        ("both().step(fresh().parameters())", "conv1/kernel has no gradient yet: ..."),
    ],
    "optim.Bop2ndOrder": [
        ("optim.Bop2ndOrder(gamma=2)", GAMMA.format("bop2nd")),
        ("optim.Bop2ndOrder(sigma=0)", "bop2nd: sigma must be a number in (0, 1] ...; found 0"),
        ("optim.Bop2ndOrder(form='x')", "bop2nd: form must be one of ..., found 'x'"),
    ],
    "optim.CEMA": [
        ("optim.CEMA(gamma=2)", GAMMA.format("cema")),
        ("optim.CEMA(alpha=-1)", "cema: alpha must be ...; found -1"),
    ],
    "optim.LatentSGD": [
        ("optim.LatentSGD(lr=-1)", LR.format("latent-sgd")),
        ("optim.LatentSGD(momentum=1)", "latent-sgd: momentum must be ...; found 1"),
        ("optim.LatentSGD(decay='x')", "latent-sgd: decay must be one of ..., found 'x'"),
        ("optim.LatentSGD(clip=0)", "latent-sgd: clip must be ...; found 0"),
        ("optim.LatentSGD(seed=-1)", "latent-sgd: seed must be an integer from 0 on, found -1"),
    ],
    "optim.LatentAdam": [
        ("optim.LatentAdam(lr=-1)", LR.format("latent-adam")),
        ("optim.LatentAdam(beta_1=1)", "latent-adam: beta_1 must be ...; found 1"),
        ("optim.LatentAdam(lr_scaling='x')", "latent-adam: lr_scaling must be ..., found 'x'"),
    ],
    "optim.InertiaSGD": [("optim.InertiaSGD(lr=-1)", LR.format("inertia-sgd"))],
    "optim.SchmittSGD": [
        ("optim.SchmittSGD(lr=-1)", LR.format("schmitt-sgd")),
        ("optim.SchmittSGD(deadband=-1)", "schmitt-sgd: deadband must be ...; found -1"),
    ],
    "optim.DoubleWellSGD": [
        ("optim.DoubleWellSGD(lr=-1)", LR.format("double-well-sgd")),
        ("optim.DoubleWellSGD(jump='x')", "double-well-sgd: jump must be one of ..., found 'x'"),
    ],
    "optim.Bold": [("optim.Bold(lr=-1)", LR.format("bold"))],
    "optim.Diode": [("optim.Diode(lr=-1)", LR.format("diode"))],
    "optim.LatentDirection": [
        ("optim.LatentDirection(direction='x')", "latent-direction: direction must be ...")
    ],
    "optim.DirectedBop": [("optim.DirectedBop(gamma=2)", GAMMA.format("directed-bop"))],
    "optim.IntegerBop": [
        ("optim.IntegerBop(shift=9)", "integer-bop: shift must be an integer from 0 to 8; found 9")
    ],
    "optim.SGD": [
        ("optim.SGD(lr=-1)", LR.format("sgd")),
        ("optim.SGD(momentum=1)", "sgd: momentum ..."),
    ],
    "optim.Adam": [
        ("optim.Adam(lr=-1)", LR.format("adam")),
        ("optim.Adam(epsilon=0)", "adam: epsilon must be ...; found 0"),
        ("optim.Adam(lr='soon')", "adam: lr: expected a number, step:VALUE..., ...; found 'soon'"),
    ],
    "optim.Split": [
        ("optim.Split(binary=optim.SGD())", "split: binary must train binary ...; found SGD(...)"),
        ("optim.Split(real=3)", "split: real must train real parameters; found 3"),
    ],
    "optim.ExponentialDecay": [
        ("optim.ExponentialDecay(1, 2, 10)", "...: the factor must be in (0, 1], found 2.0"),
        ("optim.ExponentialDecay(1, 0.5, 0)", SPAN.format("0")),
        ("optim.ExponentialDecay(1, 0.5, None)", "an exponential decay needs steps, such as ..."),
        ("optim.ExponentialDecay(1, 0.5, '200%')", SPAN.format("'200%'")),
        ("optim.ExponentialDecay(float('inf'), 0.5, 1)", FINITE.format("initial", "inf")),
        ("optim.ExponentialDecay(1, 0.5, '2ep')(0)", "... counts epochs ...: call bind(...)"),
    ],
    "optim.PolynomialDecay": [
        ("optim.PolynomialDecay(1, power=0)", "...: the power must be positive, found 0.0"),
        ("optim.PolynomialDecay(1, steps=-1)", SPAN.format("-1")),
    ],
    "optim.CosineDecay": [
        ("optim.CosineDecay(1, steps='x')", SPAN.format("'x'")),
        ("optim.CosineDecay(1, float('nan'))", FINITE.format("final", "nan")),
        ("optim.CosineDecay('a')", FINITE.format("initial", "'a'")),
    ],
    "optim.linear": [("optim.linear(1, steps=0)", SPAN.format("0"))],
    "optim.parse_optimizer": [
        ("optim.parse_optimizer('rop')", "optimizer must be one of bop, ..., found 'rop'"),
        ("optim.parse_optimizer('bop:gamma')", "optimizer 'bop:gamma': expected NAME..."),
        ("optim.parse_optimizer('bop:beta=1')", "bop takes gamma, ...; found 'beta'"),
        ("optim.parse_optimizer(3)", "an optimizer is named by a text, found 3"),
    ],
    "optim.change_arguments": [
        ("optim.change_arguments(3, {})", "an optimizer is named by a text, found 3")
    ],
    "optim.read_arguments": [
        ("optim.read_arguments('gamma')", "expected NAME=VALUE, found 'gamma'"),
        ("optim.read_arguments('a=1,a=2')", "a is given twice"),
    ],
    "optim.from_config": [
        ("optim.from_config({'kind': 'bop', 'lr': 1})", "bop takes gamma, ...; found 'lr'"),
        ("optim.from_config({'kind': 'split', 'x': 1})", "split takes binary, real; found 'x'"),
        ("optim.from_config(None)", "an optimizer's configuration must be a dict, found None"),
        ("optim.from_config({'kind': []})", "optimizer must be one of ..., found []"),
    ],
    "optim.describe": [("optim.describe(['x'])", "optimizer must be one of ..., found 'x'")],
    "optim.bop_step": [
        ("bop_step(rule='x')", "rule must be one of ..."),
        ("bop_step(average='x')", "average must be ..."),
    ],
    "optim.bop2nd_step": [("bop2nd_step(form='x')", "form must be one of ..., found 'x'")],
    "optim.latent_sgd_step": [
        ("latent_sgd_step(decay='x')", "decay must be one of ..., found 'x'")
    ],
    "optim.inertia_sgd_step": [
        ("inertia_sgd_step(decay='x')", "decay must be one of ..., found 'x'")
    ],
    "training.EarlyStopping": [
        ("training.EarlyStopping(patience=0)", "patience must be 1 or more, found 0"),
        ("training.EarlyStopping(patience='a')", "patience must be 1 or more, found 'a'"),
    ],
    "training.read_telemetry": [("training.read_telemetry(folder / 'x')", "...x does not exist")],
    "training.sweep": [
        ("sweep(out=None)", "a sweep needs a folder: out"),
        ("sweep(grid={})", "a sweep needs something to vary: a grid or a scan"),
        ("sweep(grid={'gama': [1]})", "gama is no key of ..."),
        ("sweep(seeds=[-1])", "a seed must be ..., found -1"),
        ("sweep(seeds='a')", "a seed must be ..."),
        ("sweep(random=0)", "random must be ... found 0"),
        ("sweep(jobs=0)", "jobs must be an integer from 1 ..., found 0"),
        ("sweep(options=None)", "gamma is no key of a sweep; no optimizer; no real-optimizer; ..."),
        ("sweep(grid={'gamma': []})", "gamma has no values"),
    ],
    "zoo.binarynet": [
        ("zoo.binarynet((8, 8, 1))", "a window of 2x2 without padding needs an image of at ..."),
        ("zoo.binarynet(filters=0)", "filters must be an integer from 1 on, found 0"),
        ("zoo.binarynet(classes=0)", "units must be an integer from 1 on, found 0"),
        ("zoo.binarynet((32, 32))", "BinaryConv2D takes images (height, width, channels), ..."),
        ("zoo.binarynet(seed=-1)", "seed must be an integer from 0 on, found -1"),
        ("zoo.binarynet(filters=10**9)", "binarynet: its arrays take ... GB, ..."),
    ],
    "zoo.digits_net": [
        ("zoo.digits_net(filters='a')", "filters must be an integer from 1 on, found 'a'"),
        ("zoo.digits_net(dense_units=0)", "units must be an integer from 1 on, found 0"),
    ],
    "zoo.pretrained": [
        ("zoo.pretrained('x')", "a pretrained network must be one of digits, ..., found 'x'")
    ],
    "zoo.binary_alexnet": [
        ("zoo.binary_alexnet(filters=0)", "filters must be an integer from 1 on, found 0"),
        ("zoo.binary_alexnet((8, 8, 3))", "a window of ... without padding needs an image ..."),
    ],
    "zoo.xnornet": [
        ("zoo.xnornet(filters='3')", "filters must be an integer from 1 on, found '3'"),
        ("zoo.xnornet(filters=4)", "filters of xnornet must be ..., found 4"),
    ],
    "zoo.birealnet": [
        ("zoo.birealnet(filters=0)", "filters must be an integer from 1 on, found 0")
    ],
    "zoo.birealnet_magnitude": [
        ("zoo.birealnet_magnitude(filters=-1)", "filters must be an integer from 1 on, found -1")
    ],
}
# Public callables without a row, and why.
NONE = {
    "data.Dataset": "made by from_arrays and load, which check",
    "data.FolderImages": "made by load",
    "equivalences.Entry": "made by the catalogue",
    "equivalences.explanation": "takes an Entry of the catalogue",
    "training.History": "made by fit",
    "training.Lockstep": "made by lockstep",
    "training.SweepResult": "made by sweep",
    "training.Ranks": "takes a communicator of mpi4py",
    "nn.Layer": "to be derived from",
}
ERRORS = "InputError equivalences.Broken optim.NonFiniteError "
ERRORS += "training.Interrupted training.TrainingError"
NONE |= dict.fromkeys(ERRORS.split(), "errors themselves")
# Step functions are formulas on arrays: the numbers they take are checked by the classes.
FORMULAS = "adam_step cema_step double_well_sgd_step latent_adam_step schmitt_sgd_step sgd_step "
FORMULAS += "bold_step diode_step directed_bop_step integer_bop_step latent_direction_step "
FORMULAS += "majority_vote_step"
NONE |= {f"optim.{name}": "a formula on arrays" for name in FORMULAS.split()}
