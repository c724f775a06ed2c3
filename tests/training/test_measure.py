"""measure: the loss of evaluate, and which classes are taken for which."""

import numpy as np
from small_runs import small_data

import minibnn as bnn
from minibnn.training.measure import measure, output_names


def test_it_measures_what_evaluate_does_with_the_penalty():
    data = small_data()
    layers = [bnn.nn.Flatten(), bnn.nn.Dense(10, l2=0.1)]
    net = bnn.nn.Sequential(layers, data.input_shape, seed=0)
    found = measure(net, data, batch_size=20)
    assert net.penalty() > 0.1
    assert found.evaluation == bnn.evaluate(net, data)
    assert found.seconds > 0
    answers = net.predict(data.test_images).argmax(axis=1)
    expected = np.zeros((10, 10), np.int64)
    np.add.at(expected, (data.test_labels, answers), 1)
    np.testing.assert_array_equal(found.confusion, expected)


def test_a_packed_network_has_no_penalty():
    data, net = small_data(), bnn.zoo.digits_net(filters=4, dense_units=16)
    packed = bnn.deploy.pack(net)
    assert measure(packed, data).evaluation == bnn.evaluate(net, data)


def test_names_for_all_outputs():
    assert output_names(("a", "b"), 2) == ("a", "b")
    assert output_names(["a", "b"], 4) == ("a", "b", "2", "3")
    assert output_names(["a", "b"], 1) == ("a",)
