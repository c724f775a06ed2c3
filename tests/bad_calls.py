"""Every public function and class, called wrongly, and the line of the InputError it answers with.

``CALLS[name]`` is a list of (call, line). ``...`` in a line stands for anything. The calls are
expressions in the names that ``names`` of test_bad_calls.py gives: bnn, np, nn, optim, data (a
small data set), images (4, 8, 8, 1), labels (4,), net (for them), w (±1), g, folder.
"""

WHOLE = "must be an integer from"
INTEGER = "must be an integer from"
LOAD_NONE = "{}none.npz does not exist"
NETWORK = "input_shape must be positive integers, found (0, 8, 1)"
IMAGES = (
    "train_images must be images (N, H, W, C) or (N, H, W), or vectors (N, F), not empty, "
    "found shape (4,)"
)
GAMMA = "{}: gamma must be a number in (0, 1] or a schedule; found 2"
LR = "{}: lr must be a number in (0, inf) or a schedule; found -1"
SPAN = "schedule ...: a span is a positive number of steps, ...; found {}"
FINITE = "schedule ...: {} must be finite, found {}"
RUN = "net, both(), data"
ONE = "optim.{}(np.ones(3), np.ones(3), {}, {})"

CALLS = {
    "load": [
        ("bnn.load(folder / 'none.npz')", "...none.npz does not exist"),
        ("bnn.load(folder)", "... is no run folder: it has no config.json"),
        ("bnn.load(b'x')", "path must be a text or a path, found b'x'"),
        ("bnn.load(None)", "path must be a text or a path, found None"),
    ],
    "fit": [
        (
            "bnn.fit(net, optim.Adam, data, epochs=1, batch_size=2)",
            "an optimizer must be one of minibnn.optim, found <class ...",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, callbacks=bnn.training.EarlyStopping)",
            "a callback must be callable or have on_epoch_end(run, row), found <class ...",
        ),
        (f"bnn.fit({RUN}, epochs=1, options=3)", "options must be a dict, found 3"),
        (f"bnn.fit({RUN}, epochs=0)", f"epochs {INTEGER} 1 on, found 0"),
        (f"bnn.fit({RUN}, epochs=1.5)", f"epochs {INTEGER} 1 on, found 1.5"),
        (f"bnn.fit({RUN}, epochs=True)", f"epochs {INTEGER} 1 on, found True"),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=5)",
            "batch_size must be an integer from 1 to 4, found 5",
        ),
        (f"bnn.fit({RUN}, epochs=1, batch_size=2, seed=-1)", f"seed {INTEGER} 0 on, found -1"),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, validation=4)",
            "the number of validation ... 1 to 3, found 4",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, loss='mse')",
            "loss must be one of ..., found 'mse'",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, augment='all')",
            "augment must be ..., found 'all'",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, checkpoint_every=0)",
            f"checkpoint_every {INTEGER} 1 on, found 0",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, checkpoint_minutes=-1)",
            "checkpoint_minutes must be a number above 0, found -1",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, callbacks=[1])",
            "a callback must be callable ..., found 1",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, threads=0)",
            f"threads {WHOLE} 1 to ..., found 0",
        ),
        (
            f"bnn.fit({RUN}, epochs=1, batch_size=2, threads=float('inf'))",
            f"threads {WHOLE} 1 to ..., found inf",
        ),
        (f"bnn.fit({RUN}, epochs=1, batch_size=2, resume=True)", "resume needs out..."),
        ("bnn.fit(net, optim.Bop(), data, epochs=1, batch_size=2)", "...batch_norm1/beta..."),
        (
            "bnn.fit(net, 'bop', data, epochs=1, batch_size=2)",
            "an optimizer must be one of minibnn.optim, found 'bop'",
        ),
        (
            "bnn.fit('net', optim.Bop(), data, epochs=1, batch_size=2)",
            "the network must be a Sequential, found 'net'",
        ),
        (
            "bnn.fit(net, optim.Bop(), images, epochs=1, batch_size=2)",
            "the data must be a Dataset of minibnn.data, found array(...",
        ),
        (
            "bnn.fit(other, optim.Bop(), data, epochs=1, batch_size=2)",
            "the network takes images 4x4x1, ...",
        ),
    ],
    "lockstep": [
        (
            "bnn.lockstep(net, {}, data, epochs=1, batch_size=2)",
            "optimizers must be a dict by name, not empty, found {}",
        ),
        (
            "bnn.lockstep(net, optim.Bop(), data, epochs=1, batch_size=2)",
            "optimizers must be a dict by name, not empty, found Bop(...",
        ),
        (
            "bnn.lockstep(net, {'../a': both()}, data, epochs=1, batch_size=2)",
            "a run's name must be ...",
        ),
        ("bnn.lockstep(net, {'a': both()}, data, epochs=0)", f"epochs {INTEGER} 1 on, found 0"),
        (
            "bnn.lockstep(net, {'a': 3}, data, epochs=1, batch_size=2)",
            "an optimizer must be one of minibnn.optim, found 3",
        ),
    ],
    "evaluate": [
        (
            "bnn.evaluate(net, images)",
            "evaluate takes a Dataset, or images and labels; labels are missing",
        ),
        (
            "bnn.evaluate(net, images, labels[:2])",
            "labels must be one per image and at least one, found (2,) for 4 images",
        ),
        ("bnn.evaluate(net, images, labels + 99)", "labels must be ..."),
        ("bnn.evaluate(net, data, labels)", "labels must be one per image and at least one, ..."),
        (
            "bnn.evaluate(net, data, batch_size=0)",
            "batch_size must be an integer from 1 on, found 0",
        ),
        ("bnn.evaluate(net, data, loss='mse')", "loss must be one of ..., found 'mse'"),
        (
            "bnn.evaluate(net, images[:, :4], labels)",
            "inputs must have shape (N, 8, 8, 1), found ...",
        ),
    ],
    "use_backend": [
        ("bnn.use_backend('cuda')", "backend must be one of reference, numba, found 'cuda'"),
        ("bnn.use_backend(None)", "backend must be one of reference, numba, found None"),
        ("bnn.use_backend([])", "backend must be one of reference, numba, found []"),
    ],
    "data.load": [
        ("bnn.data.load('mnist')", "data set must be one of ..., found 'mnist'"),
        ("bnn.data.load(None)", "data set must be one of ..., found None"),
        ("bnn.data.load('npz:none.npz')", "none.npz does not exist"),
        (
            "bnn.data.load('digits', image_size=8)",
            "an image size can be chosen for image-folder...",
        ),
        (
            "bnn.data.load('cifar10', folder / 'none')",
            "...none: expected CIFAR-10 (...), found ...",
        ),
        ("bnn.data.load('image-folder')", "image-folder needs a folder with train/ and val/: ..."),
        (
            "bnn.data.load('image-folder', folder, workers=0)",
            "workers must be an integer from 1 to 256, found 0",
        ),
    ],
    "data.from_arrays": [
        ("bnn.data.from_arrays(labels, labels, images, labels)", IMAGES),
        (
            "bnn.data.from_arrays(images, labels[:3], images, labels)",
            "train_labels must be 4 integers (one per image), found int64 of shape (3,)",
        ),
        (
            "bnn.data.from_arrays(images, labels - 1, images, labels)",
            "train_labels must be from 0 ...",
        ),
        (
            "bnn.data.from_arrays(images, labels / 2, images, labels)",
            "train_labels must be 4 integers...",
        ),
        (
            "bnn.data.from_arrays(images[:, :4], labels, images, labels)",
            "test_images must have the height, width and channels of train_images, ...",
        ),
        (
            "bnn.data.from_arrays(images / 4, labels, images / 4, labels)",
            "train_images must lie in [-1, 1] if floats, found ...",
        ),
        (
            "bnn.data.from_arrays(images, labels, images, labels, classes='ab')",
            "classes must be a sequence of names (strings), found 'ab'",
        ),
        (
            "bnn.data.from_arrays(images, labels, images, labels, ['a', 'a'])",
            "classes must be different names, found one of them twice",
        ),
        (
            "bnn.data.from_arrays(images, labels, images, labels, ['a'])",
            "train_labels must be below 1, the classes, found 1",
        ),
        (
            "bnn.data.from_arrays([[1], [1, 2]], labels, images, labels)",
            "train_images must be an array, ...",
        ),
    ],
    "data.Batches": [
        (
            "bnn.data.Batches(images, labels, 0)",
            "batch_size must be an integer from 1 to 4, found 0",
        ),
        (
            "bnn.data.Batches(images, labels, 5)",
            "batch_size must be an integer from 1 to 4, found 5",
        ),
        (
            "bnn.data.Batches(images, labels[:2], 1)",
            "labels must be 4 integers (one per image), found int64 of shape (2,)",
        ),
        (
            "bnn.data.Batches(images, [0.5, 1, 2, 3], 1)",
            "labels must be 4 integers (one per image), found float64 of shape (4,)",
        ),
        (
            "bnn.data.Batches(images, labels, 1, seed=-1)",
            "seed must be an integer from 0 on, found -1",
        ),
        ("bnn.data.Batches(images, labels, 1, augment='all')", "augment must be ..., found 'all'"),
    ],
    "data.pad_crop_flip": [
        (
            "bnn.data.pad_crop_flip(images[0, 0], g, g)",
            "images to be augmented must be uint8 (N, H, W, C), found uint8 (8, 1)",
        ),
        (
            "bnn.data.pad_crop_flip(images, np.zeros((2, 2), int), np.zeros(4, bool))",
            "offsets and flips must be (4, 2) and (4,), found (2, 2) and (4,)",
        ),
        (
            "bnn.data.pad_crop_flip(images, np.full((4, 2), 9), np.zeros(4, bool))",
            "offsets must ...",
        ),
        (
            "bnn.data.pad_crop_flip(images, np.zeros((4, 2), int), np.zeros(3, bool))",
            "offsets and flips must be ..., found (4, 2) and (3,)",
        ),
    ],
    "deploy.load": [
        ("bnn.deploy.load(folder / 'none.npz')", "...none.npz does not exist"),
        ("bnn.deploy.load(folder)", "... is a folder, not a network or checkpoint of minibnn"),
        (
            "bnn.deploy.load(folder / 'text.txt')",
            "... is cut off or damaged, or no network or checkpoint of minibnn: ...",
        ),
    ],
    "deploy.pack": [
        ("bnn.deploy.pack('net')", "what is packed must be a Sequential, found 'net'"),
        ("bnn.deploy.pack(net, classes=['a'])", "classes must ..."),
    ],
    "deploy.PackedNetwork": [
        (
            "bnn.deploy.pack(net).forward(images[:, :4])",
            "inputs must have shape (N, 8, 8, 1), found ...",
        ),
        (
            "bnn.deploy.pack(net).save(folder / 'none' / 'a.npz')",
            "cannot write ...a.npz: No such file or directory",
        ),
    ],
    "equivalences.verify": [
        (
            "bnn.equivalences.verify(['E99'])",
            "there is no statement 'E99'; the catalogue has E1, ...",
        ),
        (
            "bnn.equivalences.verify(['E1'], examples=0)",
            "examples must be an integer from 1 on, ...",
        ),
        ("bnn.equivalences.verify(['E1'], seed=-1)", "seed must be an integer from 0 on, ..."),
        (
            "bnn.equivalences.verify(['E1'], rule='lax')",
            "rule must be one of strict, ..., found 'lax'",
        ),
        ("bnn.equivalences.verify(['E1'], average='x')", "average must be one of ..., found 'x'"),
        ("bnn.equivalences.verify(['E1'], backend='x')", "backend must be one of ..., found 'x'"),
        ("bnn.equivalences.verify(5)", "ids must be ..., found 5"),
        ("bnn.equivalences.verify(['E1'], bop_step=3)", "bop_step must be callable, found 3"),
    ],
    "equivalences.chosen": [
        ("bnn.equivalences.chosen('E0')", "there is no statement 'E0'; the catalogue has E1, ..."),
    ],
    "nn.Sequential": [
        ("nn.Sequential([nn.Flatten()], (0, 8, 1))", NETWORK),
        ("nn.Sequential([nn.Flatten()], 8)", "input_shape must be positive integers, found 8"),
        ("nn.Sequential([3], (8,))", "layers must be layers of minibnn.nn, found 3"),
        ("nn.Sequential(3, (8,))", "layers must be a list of layers, found 3"),
        (
            "nn.Sequential([nn.BinaryDense(2)], (8, 8, 1))",
            "BinaryDense takes vectors (put Flatten before)...",
        ),
        (
            "nn.Sequential([nn.BinaryConv2D(2, 3)], (8,))",
            "BinaryConv2D takes images (height, ...",
        ),
        (
            "nn.Sequential([nn.Flatten()], (8,), seed=-1)",
            "seed must be an integer from 0 on, found -1",
        ),
        (
            "nn.Sequential(net.layers, (8, 8, 1))",
            "conv1 already belongs to a network: make a new layer",
        ),
        ("net.forward(images[:, :4])", "inputs must have shape (N, 8, 8, 1), found (4, 4, 8, 1)"),
        ("net.forward(images[:0])", "inputs must have shape (N, 8, 8, 1), found (0, 8, 8, 1)"),
        ("net.forward(images.astype(int))", "inputs must be uint8 bytes or float32, found int64"),
        ("net.load_state_dict({})", "array ... is missing"),
        (
            "nn.Sequential.from_config({'kind': 'x'})",
            "a network's configuration must be a dict of ...",
        ),
        ("nn.Sequential.from_config(None)", "a network's configuration must be a dict of ..."),
        (
            "net.save(folder / 'none' / 'net.npz')",
            "cannot write ...net.npz: No such file or directory",
        ),
        (
            "net.predict(images, batch_size=0)",
            "batch_size must be an integer from 1 on, found 0",
        ),
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
        ("nn.BinaryDense('3')", "units must be an integer from 1 on, found '3'"),
        ("nn.BinaryDense(2, 'sign')", "kernel_quantizer must be one of ..., found 'sign'"),
        ("nn.BinaryDense(2, [])", "kernel_quantizer must be one of ..., found []"),
    ],
    "nn.Dense": [
        ("nn.Dense(-1)", "units must be an integer from 1 on, found -1"),
        (
            "nn.Dense(2, kernel_initializer='he')",
            "kernel_initializer must be one of ..., found 'he'",
        ),
        ("nn.Dense(2, l2=-1)", "l2 must be a number from 0 on, found -1"),
        ("nn.Dense(2, l2=float('nan'))", "l2 must be a number from 0 on, found nan"),
    ],
    "nn.BinaryConv2D": [
        ("nn.BinaryConv2D(0, 3)", "filters must be an integer from 1 on, found 0"),
        ("nn.BinaryConv2D(2, 0)", "kernel_size must be one or two positive integers, found 0"),
        ("nn.BinaryConv2D(2, (3, 3, 3))", "kernel_size must be one or two positive ..."),
        ("nn.BinaryConv2D(2, 3, 0)", "strides must be one or two positive integers, found 0"),
        (
            "nn.BinaryConv2D(2, 3, padding='full')",
            "padding must be one of same, valid, found 'full'",
        ),
        ("nn.BinaryConv2D(2, 3, pad_value=-1)", "pad_value must be 0 or 1, found -1"),
    ],
    "nn.Conv2D": [
        ("nn.Conv2D(2.5, 3)", "filters must be an integer from 1 on, found 2.5"),
        ("nn.Conv2D(2, 3, padding=None)", "padding must be one of same, valid, found None"),
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
        (
            "nn.Sign({'name': 'ste_sign', 'clip_value': 'a'})",
            "clip_value must be a number above 0, found 'a'",
        ),
        ("nn.Sign({'name': 'swish_sign', 'beta': -1})", "beta must be a number above 0, found -1"),
    ],
    "nn.Parameter": [
        ("net.parameters()[0].assign(g)", "conv1/kernel must have shape (3, 3, 1, 2), found (3,)"),
        (
            "net.parameters()[0].assign(np.zeros((3, 3, 1, 2)))",
            "conv1/kernel is binary: every entry must be +1 or -1, found 0.0",
        ),
        ("net.parameters()[0].assign('x')", "conv1/kernel must have shape (3, 3, 1, 2), found ()"),
    ],
    "nn.softmax_cross_entropy": [
        ("nn.softmax_cross_entropy(np.zeros((4, 2)), labels[:2])", "labels must ..."),
        ("nn.softmax_cross_entropy(np.zeros((4, 2)), labels + 2)", "labels must ..."),
        ("nn.softmax_cross_entropy(np.zeros(4), labels)", "logits must ..."),
        ("nn.squared_hinge(np.zeros((0, 2)), labels[:0])", "logits must ..."),
    ],
    "nn.squared_hinge": [
        ("nn.squared_hinge(np.zeros((4, 2)), labels[:2])", "labels must ..."),
        ("nn.squared_hinge(np.zeros((4, 2)), labels - 2)", "labels must ..."),
    ],
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
        (
            "nn.load_network(folder / 'text.txt')",
            "... is cut off or damaged, or no network or checkpoint of minibnn: ...",
        ),
    ],
    "optim.Bop": [
        ("optim.Bop(gamma=2)", GAMMA.format("bop")),
        ("optim.Bop(initial=1e39)", "bop: initial must be ...; found 1e+39"),
        ("optim.Bop(initial=10**400)", "bop: initial must be ...; found 1000..."),
        (
            "optim.Bop(gamma=True)",
            "bop: gamma must be a number in (0, 1] or a schedule; found True",
        ),
        ("optim.Bop(threshold=-1)", "bop: threshold must be a number in [0, inf) ...; found -1"),
        ("optim.Bop(rule='lax')", "bop: rule must be one of strict, inclusive, larq, found 'lax'"),
        ("optim.Bop(initial='big')", "bop: initial must be ...; found 'big'"),
        (
            "both().step(fresh().parameters())",
            "conv1/kernel has no gradient yet: run backward before step",
        ),
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
        ("optim.LatentDirection(direction='x')", "latent-direction: direction must be ..."),
    ],
    "optim.DirectedBop": [("optim.DirectedBop(gamma=2)", GAMMA.format("directed-bop"))],
    "optim.IntegerBop": [
        ("optim.IntegerBop(shift=9)", "integer-bop: shift must be an integer from 0 to 8; found 9"),
    ],
    "optim.SGD": [
        ("optim.SGD(lr=-1)", LR.format("sgd")),
        ("optim.SGD(momentum=1)", "sgd: momentum ..."),
    ],
    "optim.Adam": [
        ("optim.Adam(lr=-1)", LR.format("adam")),
        ("optim.Adam(epsilon=0)", "adam: epsilon must be ...; found 0"),
        (
            "optim.Adam(lr='soon')",
            "adam: lr: expected a number, step:VALUE:FACTOR:SPAN, ...; found 'soon'",
        ),
    ],
    "optim.Split": [
        (
            "optim.Split(binary=optim.SGD())",
            "split: binary must train binary parameters; found SGD(...)",
        ),
        ("optim.Split(real=3)", "split: real must train real parameters; found 3"),
    ],
    "optim.ExponentialDecay": [
        (
            "optim.ExponentialDecay(1, 2, 10)",
            "schedule ...: the factor must be in (0, 1], found 2.0",
        ),
        ("optim.ExponentialDecay(1, 0.5, 0)", SPAN.format("0")),
        ("optim.ExponentialDecay(1, 0.5, None)", "an exponential decay needs steps, such as ..."),
        ("optim.ExponentialDecay(1, 0.5, '200%')", SPAN.format("'200%'")),
        ("optim.ExponentialDecay(float('inf'), 0.5, 1)", FINITE.format("initial", "inf")),
        (
            "optim.ExponentialDecay(1, 0.5, '2ep')(0)",
            "schedule ... counts epochs ...: call bind(...)",
        ),
    ],
    "optim.PolynomialDecay": [
        (
            "optim.PolynomialDecay(1, power=0)",
            "schedule ...: the power must be positive, found 0.0",
        ),
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
        (
            "optim.parse_optimizer('bop:gamma')",
            "optimizer 'bop:gamma': expected NAME=VALUE, found 'gamma'",
        ),
        ("optim.parse_optimizer('bop:beta=1')", "bop takes gamma, ...; found 'beta'"),
        ("optim.parse_optimizer(3)", "an optimizer is named by a text, found 3"),
    ],
    "optim.change_arguments": [
        (
            "optim.change_arguments('bop:gamma', {})",
            "optimizer 'bop:gamma': expected NAME=VALUE, found 'gamma'",
        ),
        ("optim.change_arguments(3, {})", "an optimizer is named by a text, found 3"),
    ],
    "optim.read_arguments": [
        ("optim.read_arguments('gamma')", "expected NAME=VALUE, found 'gamma'"),
        ("optim.read_arguments('a=1,a=2')", "a is given twice"),
    ],
    "optim.from_config": [
        ("optim.from_config({'kind': 'x'})", "optimizer must be one of ..., found 'x'"),
        ("optim.from_config({'kind': 'bop', 'lr': 1})", "bop takes gamma, ...; found 'lr'"),
        ("optim.from_config({'kind': 'split', 'x': 1})", "split takes binary, real; found 'x'"),
        ("optim.from_config(None)", "an optimizer's configuration must be a dict, found None"),
        ("optim.from_config({'kind': []})", "optimizer must be one of ..., found []"),
    ],
    "optim.describe": [("optim.describe(['x'])", "optimizer must be one of ..., found 'x'")],
    "optim.bop_step": [
        (
            "optim.bop_step(w, g, optim.BopState(g), gamma=1, threshold=0, rule='x')",
            "rule must be one of ...",
        ),
        (
            "optim.bop_step(w, g, optim.BopState(g), gamma=1, threshold=0, average='x')",
            "average must be ...",
        ),
    ],
    "optim.bop2nd_step": [
        (
            "optim.bop2nd_step(w, g, optim.Bop2ndState(g, g), form='x', **SECOND)",
            "form must be one of ..., found 'x'",
        ),
    ],
    "optim.latent_sgd_step": [
        (
            "optim.latent_sgd_step(g, g, optim.LatentSGDState(None), **DECAY)",
            "decay must be one of ..., found 'x'",
        ),
    ],
    "optim.inertia_sgd_step": [
        (
            "optim.inertia_sgd_step(w, g, optim.InertiaSGDState(abs(g)), **DECAY)",
            "decay must be one of ..., found 'x'",
        ),
    ],
    "training.EarlyStopping": [
        ("bnn.training.EarlyStopping(patience=0)", "patience must be 1 or more, found 0"),
        ("bnn.training.EarlyStopping(patience='a')", "patience must be 1 or more, found 'a'"),
    ],
    "training.read_telemetry": [
        (
            "bnn.training.read_telemetry(folder / 'x')",
            "...x does not exist",
        ),
    ],
    "training.sweep": [
        ("bnn.training.sweep({'gamma': [1]})", "a sweep needs a folder: out"),
        (
            "bnn.training.sweep({}, folder / 's')",
            "a sweep needs something to vary: a grid or a scan",
        ),
        (
            "bnn.training.sweep(SWEEP | {'gama': [1]}, folder / 's', options=BOP)",
            "gama is no key of ...",
        ),
        (
            "bnn.training.sweep(SWEEP, folder / 's', options=BOP, seeds=[-1])",
            "a seed must be ..., found -1",
        ),
        ("bnn.training.sweep(SWEEP, folder / 's', options=BOP, seeds='a')", "a seed must be ..."),
        (
            "bnn.training.sweep(SWEEP, folder / 's', options=BOP, random=0)",
            "random must be ... found 0",
        ),
        (
            "bnn.training.sweep(SWEEP, folder / 's', options=BOP, jobs=0)",
            "jobs must be an integer from 1 ..., found 0",
        ),
        (
            "bnn.training.sweep(SWEEP, folder / 's')",
            "gamma is no key of a sweep; no optimizer; no real-optimizer; options: ...",
        ),
        ("bnn.training.sweep({'gamma': []}, folder / 's', options=BOP)", "gamma has no values"),
    ],
    "zoo.binarynet": [
        (
            "bnn.zoo.binarynet((8, 8, 1))",
            "a window of 2x2 without padding needs an image of at ...",
        ),
        ("bnn.zoo.binarynet(filters=0)", "filters must be an integer from 1 on, found 0"),
        ("bnn.zoo.binarynet(classes=0)", "units must be an integer from 1 on, found 0"),
        (
            "bnn.zoo.binarynet((32, 32))",
            "BinaryConv2D takes images (height, width, channels), ...",
        ),
        ("bnn.zoo.binarynet(seed=-1)", "seed must be an integer from 0 on, found -1"),
        ("bnn.zoo.binarynet(filters=10**9)", "binarynet: its arrays take ... GB, ..."),
    ],
    "zoo.digits_net": [
        ("bnn.zoo.digits_net(filters='a')", "filters must be an integer from 1 on, found 'a'"),
        ("bnn.zoo.digits_net(dense_units=0)", "units must be an integer from 1 on, found 0"),
    ],
    "zoo.pretrained": [
        (
            "bnn.zoo.pretrained('lenet')",
            "a pretrained network must be one of digits, binarynet-cifar10, found 'lenet'",
        ),
        (
            "bnn.zoo.pretrained(None)",
            "a pretrained network must be one of digits, binarynet-cifar10, found None",
        ),
    ],
    "zoo.binary_alexnet": [
        ("bnn.zoo.binary_alexnet(filters=0)", "filters must be an integer from 1 on, found 0"),
        ("bnn.zoo.binary_alexnet((8, 8, 3))", "a window of ... without padding needs an image ..."),
    ],
    "zoo.xnornet": [
        ("bnn.zoo.xnornet(filters='3')", "filters must be an integer from 1 on, found '3'"),
        ("bnn.zoo.xnornet(filters=4)", "filters of xnornet must be ..., found 4"),
        ("bnn.zoo.xnornet(kernel_quantizer='x')", "kernel_quantizer must be one of ..., found 'x'"),
    ],
    "zoo.birealnet": [
        ("bnn.zoo.birealnet(filters=0)", "filters must be an integer from 1 on, found 0"),
        (
            "bnn.zoo.birealnet(filters=8, kernel_quantizer='x')",
            "kernel_quantizer must be ..., found 'x'",
        ),
    ],
    "zoo.birealnet_magnitude": [
        (
            "bnn.zoo.birealnet_magnitude(filters=-1)",
            "filters must be an integer from 1 on, found -1",
        ),
    ],
}
# Public callables without a row, and why.
NONE = {
    "InputError": "errors themselves",
    "data.Dataset": "made by from_arrays and load, which check",
    "data.FolderImages": "made by load",
    "equivalences.Entry": "made by the catalogue",
    "equivalences.explanation": "takes an Entry of the catalogue",
    "equivalences.Broken": "errors themselves",
    "optim.NonFiniteError": "errors themselves",
    "training.Interrupted": "errors themselves",
    "training.TrainingError": "errors themselves",
    "training.History": "made by fit",
    "training.Lockstep": "made by lockstep",
    "training.SweepResult": "made by sweep",
    "training.Ranks": "takes a communicator of mpi4py",
    "nn.Layer": "to be derived from",
}
# Step functions are formulas on arrays: the numbers they take are checked by the classes.
FORMULAS = "adam_step cema_step double_well_sgd_step latent_adam_step schmitt_sgd_step sgd_step "
FORMULAS += "bold_step diode_step directed_bop_step integer_bop_step latent_direction_step "
FORMULAS += "majority_vote_step"
NONE |= {f"optim.{name}": "a formula on arrays" for name in FORMULAS.split()}
