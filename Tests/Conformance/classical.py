#!/usr/bin/env python3
"""Compiles models of scikit-learn, LightGBM and XGBoost as their converters write them, and runs them beside onnxruntime.

    classical.py --sinter .build/release/sinter            # all
    classical.py --sinter .build/release/sinter forest      # those whose names hold this text

Each model is trained on a few hundred random rows, and tried on rows that it has not seen: none, one, and some more. Besides, single operators of
the domain ai.onnx.ml are tried with each of their modes, judged by onnxruntime too, or by onnx's reference implementation where onnxruntime lacks
a type or departs from the definition.

Labels and other whole numbers agree where 99 of 100 are equal: a sum that is nearly a tie may fall to either side, as it may where a feature is
nearly a bound. Floats agree where 99 of 100 are equal up to 1e-4 of the largest of their result, or what the model's line says.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from judging import main

FLOAT, DOUBLE, INT64, INT32, INT16 = (getattr(onnx.TensorProto, name) for name in ("FLOAT", "DOUBLE", "INT64", "INT32", "INT16"))
GENERATOR = np.random.default_rng(11)
FEATURES = 9
OPSETS = {"": 21, "ai.onnx.ml": 3}


# Data


def rows(count, features=FEATURES):
    return GENERATOR.standard_normal((count, features)).astype(np.float32)


def holes(x):
    """The same rows, some of whose numbers are missing."""
    return np.where(GENERATOR.random(x.shape) < 0.15, np.float32(np.nan), x)


def whole(count, features=FEATURES):
    return GENERATOR.integers(0, 5, (count, features)).astype(np.float32)


X = rows(300)
SCORE = X[:, 0] * 2 - X[:, 1] * X[:, 2] + np.sin(X[:, 3] * 2) + 0.3 * GENERATOR.standard_normal(300)
TWO = (SCORE > 0.1).astype(np.int64)
FOUR = np.digitize(SCORE, [-1.2, 0.1, 1.3]).astype(np.int64) * 2 + 1
BOTH = np.stack([SCORE, X[:, 4] - SCORE], axis=1).astype(np.float32)


# scikit-learn


def sklearn_models():
    """A name, a model that is trained, what rows it takes, and the tolerance."""
    from sklearn import (
        calibration, cluster, compose, decomposition, discriminant_analysis, ensemble, feature_selection, impute, linear_model, naive_bayes,
        neighbors, neural_network, pipeline, preprocessing, svm, tree)

    def trained(model, y=None, x=X, make=rows, tolerance=1e-4):
        name = type(model).__name__
        return name, model.fit(x, y) if y is not None else model.fit(x), make, tolerance

    for model in (linear_model.LinearRegression(), linear_model.Ridge(), linear_model.Lasso(alpha=0.1), linear_model.SGDRegressor(), linear_model.HuberRegressor()):
        yield trained(model, SCORE)
    yield trained(linear_model.LinearRegression(), BOTH)
    for y in (TWO, FOUR):
        for model in (linear_model.LogisticRegression(), linear_model.RidgeClassifier(), linear_model.SGDClassifier(loss="log_loss"), linear_model.Perceptron(),
                      svm.LinearSVC(), discriminant_analysis.LinearDiscriminantAnalysis(), naive_bayes.GaussianNB()):
            yield trained(model, y, tolerance=1e-3)
        for kernel in ("linear", "poly", "rbf", "sigmoid"):
            yield trained(svm.SVC(kernel=kernel, coef0=0.5), y, tolerance=1e-3)
        yield trained(svm.SVC(probability=True), y, tolerance=1e-3)
        yield trained(svm.NuSVC(nu=0.2), y, tolerance=1e-3)
        yield trained(tree.DecisionTreeClassifier(max_depth=6), y)
        yield trained(ensemble.RandomForestClassifier(21, max_depth=8), y)
        yield trained(ensemble.ExtraTreesClassifier(13), y)
        yield trained(ensemble.GradientBoostingClassifier(n_estimators=15), y)
        yield trained(ensemble.HistGradientBoostingClassifier(max_iter=15), y, holes(X), lambda n: holes(rows(n)))
        yield trained(ensemble.AdaBoostClassifier(n_estimators=10), y)
        yield trained(ensemble.BaggingClassifier(n_estimators=5), y)
        yield trained(neighbors.KNeighborsClassifier(5), y)
        yield trained(neural_network.MLPClassifier(hidden_layer_sizes=(12,), max_iter=60), y)
        yield trained(ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=4))], voting="soft", flatten_transform=False), y)
        yield trained(calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2), y)
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        yield trained(svm.SVR(kernel=kernel, coef0=0.5), SCORE, tolerance=1e-3)
    yield trained(svm.OneClassSVM(nu=0.3), tolerance=1e-3)
    yield trained(ensemble.IsolationForest(n_estimators=12), tolerance=1e-3)
    for y in (SCORE, BOTH):
        yield trained(tree.DecisionTreeRegressor(max_depth=7), y)
        yield trained(ensemble.RandomForestRegressor(15), y)
        yield trained(ensemble.ExtraTreesRegressor(8), y)
        yield trained(neural_network.MLPRegressor(hidden_layer_sizes=(12,), max_iter=60), y)
    yield trained(ensemble.GradientBoostingRegressor(n_estimators=25), SCORE)
    yield trained(ensemble.HistGradientBoostingRegressor(max_iter=15), SCORE, holes(X), lambda n: holes(rows(n)))
    yield trained(ensemble.AdaBoostRegressor(n_estimators=8), SCORE)
    yield trained(neighbors.KNeighborsRegressor(4), SCORE)
    for model in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler(), preprocessing.RobustScaler(),
                  preprocessing.Normalizer("l1"), preprocessing.Normalizer("l2"), preprocessing.Binarizer(threshold=0.25),
                  preprocessing.PolynomialFeatures(2), decomposition.PCA(3), decomposition.TruncatedSVD(3), cluster.KMeans(4, n_init=1)):
        yield trained(model)
    yield trained(impute.SimpleImputer(), None, holes(X), lambda n: holes(rows(n)))
    yield trained(preprocessing.KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"))
    yield trained(preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), None, whole(200), whole)
    yield trained(naive_bayes.MultinomialNB(), FOUR, whole(300), whole, 1e-3)
    yield trained(naive_bayes.BernoulliNB(), FOUR)
    pipe = pipeline.Pipeline([
        ("parts", compose.ColumnTransformer([("a", preprocessing.StandardScaler(), [0, 1, 2]), ("b", preprocessing.MinMaxScaler(), [3, 5, 8])])),
        ("best", feature_selection.SelectKBest(k=4)), ("forest", ensemble.RandomForestClassifier(9, max_depth=5))])
    yield trained(pipe, FOUR)


def sklearn_files():
    from skl2onnx import to_onnx

    for name, model, make, tolerance in sklearn_models():
        # A model that names classes gives probabilities as a matrix, or as a list of maps.
        gives_maps = hasattr(model, "classes_") and name != "LinearSVC"
        for maps in (False, True) if name in ("LogisticRegression", "RandomForestClassifier") else (False,):
            options = {id(model): {"zipmap": maps}} if gives_maps else None
            yield f"{name}{', maps' * maps}", to_onnx(model, X[:1], options=options, target_opset=OPSETS), make, tolerance


# LightGBM and XGBoost


def boosted_files():
    import lightgbm
    import xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    def gaps(count):
        return holes(rows(count))

    kind = [("x", FloatTensorType([None, FEATURES]))]
    kinds = np.concatenate([whole(300, 3), X[:, 3:]], axis=1)

    def with_kinds(count):
        return np.concatenate([whole(count, 3), rows(count, FEATURES - 3)], axis=1)

    light = dict(n_estimators=12, num_leaves=15, verbose=-1)
    for name, model, x, y, make in (
        ("two classes", lightgbm.LGBMClassifier(**light), X, TWO, rows), ("four classes", lightgbm.LGBMClassifier(**light), X, FOUR, rows),
        ("regression", lightgbm.LGBMRegressor(**light), X, SCORE, rows), ("gaps", lightgbm.LGBMRegressor(**light), holes(X), SCORE, gaps),
        ("gaps, two classes", lightgbm.LGBMClassifier(**light), holes(X), TWO, gaps),
        ("zero as missing", lightgbm.LGBMRegressor(zero_as_missing=True, **light), X, SCORE, rows),
        ("categories", lightgbm.LGBMRegressor(categorical_feature=[0, 1, 2], min_data_per_group=5, cat_smooth=1, **light), kinds, SCORE, with_kinds),
        ("poisson", lightgbm.LGBMRegressor(objective="poisson", **light), X, np.exp(SCORE / 4), rows),
        ("dart", lightgbm.LGBMRegressor(boosting_type="dart", **light), X, SCORE, rows),
        ("forest", lightgbm.LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **light), X, SCORE, rows),
        ("deep", lightgbm.LGBMRegressor(n_estimators=5, num_leaves=120, min_child_samples=1, verbose=-1), X, SCORE, rows),
    ):
        model.fit(x, y)
        yield f"LightGBM, {name}", convert_lightgbm(model, initial_types=kind, target_opset=15, zipmap=False), make, 1e-4
    extreme = dict(n_estimators=12, max_depth=5)
    labels = (FOUR - 1) // 2
    for name, model, x, y, make in (
        ("two classes", xgboost.XGBClassifier(**extreme), X, TWO, rows), ("four classes", xgboost.XGBClassifier(**extreme), X, labels, rows),
        ("regression", xgboost.XGBRegressor(**extreme), X, SCORE, rows), ("gaps", xgboost.XGBRegressor(**extreme), holes(X), SCORE, gaps),
        ("gaps, four classes", xgboost.XGBClassifier(**extreme), holes(X), labels, gaps),
        ("poisson", xgboost.XGBRegressor(objective="count:poisson", **extreme), X, np.exp(SCORE / 4), rows),
        ("forest", xgboost.XGBRFRegressor(n_estimators=9, max_depth=8), X, SCORE, rows),
        ("logistic", xgboost.XGBRegressor(objective="reg:logistic", **extreme), X, TWO, rows),
    ):
        model.fit(x, y)
        yield f"XGBoost, {name}", convert_xgboost(model, initial_types=kind, target_opset=15), make, 1e-4


# Single operators


def node_model(op, ports, results, opset=3, **attributes):
    """A model of one node; `ports` are the element types and shapes of its inputs, `results` those of its outputs."""
    names = [f"x{index}" for index in range(len(ports))]
    outputs = [f"y{index}" for index in range(len(results))]
    node = helper.make_node(op, names, outputs, domain="ai.onnx.ml", **attributes)
    inputs = [helper.make_tensor_value_info(name, *port) for name, port in zip(names, ports)]
    graph = helper.make_graph([node], op, inputs, [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(outputs, results)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", opset)], ir_version=10)


def map_model(op, key, value, **attributes):
    """A model of one node that takes a map."""
    model = node_model(op, [(value, [1])], [FLOAT], **attributes)
    kind = helper.make_map_type_proto(key, helper.make_tensor_type_proto(value, []))
    model.graph.input[0].type.CopyFrom(kind)
    return model


def some_map(count):
    keys = GENERATOR.permutation(6)[:min(max(count, 1), 4)]
    return [{int(key): float(np.float32(GENERATOR.standard_normal())) for key in keys}]


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
BOUNDS = np.array([-1, -0.5, 0, 0.5, 1, 2])


def random_trees(count, depth, targets, role, several=False, modes=MODES, tracks=True):
    """Attributes of trees whose shape, modes and bounds are random; bounds and features are often equal, or missing."""
    lists = {f"nodes_{name}": [] for name in "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()}
    weights = {f"{role}_{name}": [] for name in "treeids nodeids ids weights".split()}

    def node(tree, level, counter):
        number = counter[0]
        counter[0] += 1
        place = len(lists["nodes_nodeids"])
        is_leaf = level == depth or (level and GENERATOR.random() < 0.2)
        values = [tree, number, int(GENERATOR.integers(5)), "LEAF" if is_leaf else modes[GENERATOR.integers(len(modes))], float(GENERATOR.choice(BOUNDS)), 0, 0, int(tracks and GENERATOR.integers(2))]
        for key, value in zip(lists, values):
            lists[key].append(value)
        if is_leaf:
            for target in GENERATOR.permutation(targets)[: targets if several == "all" else int(GENERATOR.integers(1, targets + 1)) if several else 1]:
                for key, value in zip(weights, (tree, number, int(target), float(np.float32(GENERATOR.standard_normal())))):
                    weights[key].append(value)
        else:
            lists["nodes_truenodeids"][place] = node(tree, level + 1, counter)
            lists["nodes_falsenodeids"][place] = node(tree, level + 1, counter)
        return number

    for tree in range(count):
        node(tree, 0, [0])
    return lists | weights


def features(count, dtype=np.float32):
    return np.where(GENERATOR.random((count, 5)) < 0.15, np.nan, GENERATOR.choice(np.append(BOUNDS, [0.3, -7, np.inf, -np.inf]), (count, 5))).astype(dtype)


def tree_files():
    ports = [(FLOAT, ["n", 5])]
    for name, depth, count in (("shallow", 3, 7), ("deep", 9, 5), ("one leaf", 0, 3), ("very deep", 40, 2)):
        for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
            for targets, several in ((1, False), (3, False), (3, True), (3, "all")):
                if depth == 40:
                    trees = chain(depth * 3, targets)
                else:
                    trees = random_trees(count, depth, targets, "target", several)
                # Of a target without any weight onnxruntime forgets the base value.
                base = {"base_values": [0.5, -1, 0.25][:targets]} if targets == 1 or several == "all" and depth < 40 else {}
                yield (f"{name} trees, {aggregate} of {targets} targets{f', {several}' * bool(several)}",
                       node_model("TreeEnsembleRegressor", ports, [FLOAT], n_targets=targets, aggregate_function=aggregate, **trees, **base), features, 1e-4)
    for transform in ("SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        trees = random_trees(6, 4, 3, "target", True)
        yield f"trees, {transform}", node_model("TreeEnsembleRegressor", ports, [FLOAT], n_targets=3, post_transform=transform, **trees), features, 1e-4
        # A score of 0 stays 0, and is less than what a negative one becomes.
        if transform == "SOFTMAX_ZERO":
            trees = random_trees(6, 4, 2, "class", "all")
            trees = {**trees, "class_weights": [-abs(weight) - 0.1 for weight in trees["class_weights"]]}
            yield (f"classes by trees, {transform}, one without leaves",
                   node_model("TreeEnsembleClassifier", ports, [INT64, FLOAT], classlabels_int64s=[4, -1, 9], post_transform=transform, **trees), features, 1e-4)
        # A class that no leaf has a weight for scores 0, but onnxruntime never takes it.
        trees = random_trees(6, 4, 3, "class", "all")
        yield (f"classes by trees, {transform}",
               node_model("TreeEnsembleClassifier", ports, [INT64, FLOAT], classlabels_int64s=[4, -1, 9], post_transform=transform, **trees), features, 1e-4)
    for transform in ("NONE", "LOGISTIC"):
        trees = random_trees(6, 4, 1, "class")
        yield (f"two classes by trees, {transform}",
               node_model("TreeEnsembleClassifier", ports, [INT64, FLOAT], classlabels_int64s=[4, -1], post_transform=transform, **trees), features, 1e-4)
    trees = random_trees(6, 4, 2, "target", True)
    for key in ("nodes_values", "target_weights"):
        trees[key + "_as_tensor"] = numpy_helper.from_array(np.array(trees.pop(key)), key)
    yield ("double trees", node_model("TreeEnsembleRegressor", [(DOUBLE, ["n", 5])], [FLOAT], n_targets=2, **trees), lambda n: features(n, np.float64), 1e-5)
    trees = random_trees(6, 4, 3, "class", "all")
    yield ("trees of whole numbers", node_model("TreeEnsembleClassifier", [(INT64, ["n", 5])], [INT64, FLOAT], classlabels_int64s=[1, 2, 3], **trees),
           lambda n: GENERATOR.integers(-2, 3, (n, 5)), 1e-4)


def chain(length, targets):
    """One tree, each of whose nodes has a leaf on one side."""
    trees = random_trees(0, 0, targets, "target")
    for number in range(length + 1):
        is_leaf = number == length
        entry = [0, number, number % 5, "LEAF" if is_leaf else "BRANCH_LT", 5 - number * 0.1, length + 1 + number, number + 1, 0]
        if is_leaf:
            entry[5:7] = 0, 0
        for key, value in zip((key for key in trees if key.startswith("nodes_")), entry):
            trees[key].append(value)
    for number in range(length):
        for key, value in zip((key for key in trees if key.startswith("nodes_")), [0, length + 1 + number, 0, "LEAF", 0.0, 0, 0, 0]):
            trees[key].append(value)
    for number in range(length, 2 * length + 1):
        for key, value in zip(("target_treeids", "target_nodeids", "target_ids", "target_weights"), (0, number, number % targets, number / 10)):
            trees[key].append(value)
    return trees


def ensemble_files():
    """TreeEnsemble of opset 5, with members of sets."""
    for dtype, kind in ((np.float32, FLOAT), (np.float64, DOUBLE)):
        for aggregate in (1, 2, 3):
            attributes = dict(
                nodes_splits=np.array([0.5, 0, 1, np.nan, -1], dtype), nodes_featureids=[0, 1, 2, 3, 4], nodes_modes=np.array([0, 6, 4, 5, 6], np.uint8),
                nodes_truenodeids=[1, 0, 2, 3, 0], nodes_falsenodeids=[2, 1, 3, 4, 5], nodes_trueleafs=[0, 1, 1, 1, 1], nodes_falseleafs=[0, 1, 0, 0, 1],
                leaf_targetids=[0, 1, 0, 1, 1, 0] if aggregate == 1 else [0] * 6, leaf_weights=np.array([1, 2.5, -3, 4, 0.5, 7], dtype), tree_roots=[0],
                membership_values=np.array([0.5, -1, 2, np.nan, 0.3, np.nan], dtype), nodes_missing_value_tracks_true=[0, 1, 0, 0, 1])
            attributes["nodes_splits"][3] = 0.5
            tensors = {key: numpy_helper.from_array(value, key) if isinstance(value, np.ndarray) else value for key, value in attributes.items()}
            yield (f"TreeEnsemble of {np.dtype(dtype)}, aggregate {aggregate}",
                   node_model("TreeEnsemble", [(kind, ["n", 5])], [kind], 5, n_targets=2 if aggregate == 1 else 1, aggregate_function=aggregate, **tensors),
                   lambda n, dtype=dtype: features(n, dtype), 1e-5)


def small_files():
    matrix = [(FLOAT, ["n", 5])]
    five = lambda n: rows(n, 5)
    numbers = lambda dtype: lambda n: GENERATOR.integers(-3, 4, (n, 5)).astype(dtype)
    for kind, dtype in ((FLOAT, np.float32), (DOUBLE, np.float64), (INT64, np.int64), (INT32, np.int32)):
        port = [(kind, ["n", 5])]
        yield (f"Scaler of {np.dtype(dtype)}", node_model("Scaler", port, [FLOAT], offset=[0.5, 1, -1, 0, 2], scale=[2.0, 1, 0.5, -1, 3]), numbers(dtype), 1e-5)
        for norm in ("MAX", "L1", "L2"):
            yield f"Normalizer {norm} of {np.dtype(dtype)}", node_model("Normalizer", port, [FLOAT], norm=norm), numbers(dtype), 1e-5
        yield (f"LinearClassifier of {np.dtype(dtype)}",
               node_model("LinearClassifier", port, [INT64, FLOAT], coefficients=[float(c) for c in range(-7, 8)], intercepts=[0.1, 0.2, 0.3],
                          classlabels_ints=[3, 5, 4], post_transform="SOFTMAX"), numbers(dtype), 1e-4)
    yield "Binarizer", node_model("Binarizer", matrix, [FLOAT], threshold=0.25), five, 1e-5
    yield "LinearRegressor", node_model("LinearRegressor", matrix, [FLOAT], coefficients=[float(c) for c in range(10)], intercepts=[0.5, -1], targets=2), five, 1e-4
    for post in ("NONE", "LOGISTIC"):
        yield (f"LinearClassifier of one score, {post}",
               node_model("LinearClassifier", matrix, [INT64, FLOAT], coefficients=[1.0, -1, 0.5, 2, 0], intercepts=[0.1], classlabels_ints=[3, 5], post_transform=post), five, 1e-4)
    yield "Imputer of NaN", node_model("Imputer", matrix, [FLOAT], imputed_value_floats=[1.0, 2, 3, 4, 5], replaced_value_float=float("nan")), lambda n: features(n), 1e-5
    yield "Imputer of one", node_model("Imputer", [(INT64, ["n", 5])], [INT64], imputed_value_int64s=[7], replaced_value_int64=-1), numbers(np.int64), 0
    for kind, dtype in ((INT64, np.int64), (FLOAT, np.float32), (DOUBLE, np.float64)):
        yield f"OneHotEncoder of {np.dtype(dtype)}", node_model("OneHotEncoder", [(kind, ["n", 5])], [FLOAT], cats_int64s=[2, -1, 0, 7]), numbers(dtype), 0
    yield "ArrayFeatureExtractor", node_model("ArrayFeatureExtractor", [(FLOAT, ["n", 5]), (INT64, [1, 3])], [FLOAT]), lambda n: [five(n), np.array([[4, 0, 4]])], 0
    yield ("FeatureVectorizer", node_model("FeatureVectorizer", [(FLOAT, ["n", 5]), (FLOAT, ["n", 2])], [FLOAT], inputdimensions=[3, 4]),
           lambda n: [five(n), rows(n, 2)], 1e-6)
    for keys, values, kind, dtype in (("int64s", "floats", INT64, np.int64), ("floats", "int64s", FLOAT, np.float32), ("int64s", "int64s", INT64, np.int64), ("floats", "floats", FLOAT, np.float32)):
        lists = {"int64s": [3, -1, 2, 3, 0], "floats": [3.0, -1, float("nan"), 3, 0]}
        result = {"floats": FLOAT, "int64s": INT64}[values]
        new = {"int64s": [9, 8, 7, 6, 5], "floats": [9.5, 8, 7, 6, 5]}
        make = numbers(dtype) if keys == "int64s" else features
        yield f"LabelEncoder from {keys} to {values}", node_model("LabelEncoder", [(kind, ["n", 5])], [result], 4, **{f"keys_{keys}": lists[keys], f"values_{values}": new[values]}), make, 0
    for form in ("DENSE", "SPARSE"):
        yield f"CastMap, {form}", map_model("CastMap", INT64, FLOAT, map_form=form, max_map=6, cast_to="TO_FLOAT"), some_map, 0
    yield "DictVectorizer", map_model("DictVectorizer", INT64, FLOAT, int64_vocabulary=[5, 0, 9, 2]), some_map, 0
    tensors = {"keys_tensor": np.arange(-2, 3, dtype=np.int16), "values_tensor": np.array([5, 4, 3, 2, 1], np.int16), "default_tensor": np.array([42], np.int16)}
    yield ("LabelEncoder of tensors", node_model("LabelEncoder", [(INT16, ["n", 5])], [INT16], 4, **{key: numpy_helper.from_array(value, key) for key, value in tensors.items()}), numbers(np.int16), 0)


# Text


WORDS = "red green blue cat dog house tree bird sings runs sleeps under over the and with old new small big".split()


def sentences(count):
    """Some words each, with what stands between words."""
    ends = np.array([" ", ", ", "! ", "  ", " 42 "])
    return np.array([["".join(GENERATOR.choice(WORDS) + GENERATOR.choice(ends) for _ in range(GENERATOR.integers(1, 12)))] for _ in range(count)],
                    dtype=object).reshape(count, 1)


def text_files():
    """Pipelines from sentences to labels that are text, and single operators on words."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import StringTensorType
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    samples = sentences(200)
    labels = np.array(["animals" if "cat" in text or "dog" in text else "rest" if "tree" in text else "größe" for text in samples[:, 0]])
    for name, vectorizer in (
            ("words", CountVectorizer()), ("weights", TfidfVectorizer()), ("pairs", TfidfVectorizer(ngram_range=(1, 2), stop_words="english")),
            ("own pattern", CountVectorizer(lowercase=False, token_pattern="[a-z]+")), ("letters", TfidfVectorizer(analyzer="char", ngram_range=(1, 3)))):
        for classes in (labels, np.where(labels == "animals", "yes", "no")):
            model = make_pipeline(vectorizer, LogisticRegression()).fit(samples[:, 0], classes)
            maps = name == "words"
            file = convert_sklearn(model, initial_types=[("x", StringTensorType([None, 1]))], target_opset={**OPSETS, "": 18}, options={id(model): {"zipmap": maps}})
            for node in file.graph.node:
                if node.op_type == "StringNormalizer":  # the locale that onnxruntime takes by default may not be there
                    node.attribute.append(helper.make_attribute("locale", "C"))
            yield f"text, {name}, {len(set(classes))} classes{', maps' * maps}", file, sentences, 1e-3

    def words(count, columns=2):
        return GENERATOR.choice(np.array(WORDS[:6] + ["", "Cat", "grün"], dtype=object), (count, columns))

    kinds = words(100)
    for name, encoder in (("OneHotEncoder", OneHotEncoder(handle_unknown="ignore", sparse_output=False)), ("OrdinalEncoder", OrdinalEncoder())):
        model = make_pipeline(make_column_transformer((encoder, [0, 1])), LogisticRegression()).fit(kinds, np.where(kinds[:, 0] == "cat", "x", "y"))
        file = convert_sklearn(model, initial_types=[("x", StringTensorType([None, 2]))], target_opset={**OPSETS, "": 18}, options={id(model): {"zipmap": False}})
        yield f"{name} of words", file, words, 1e-3
    text = onnx.TensorProto.STRING
    yield ("LabelEncoder from words to numbers", node_model("LabelEncoder", [(text, ["n", 2])], [INT64], 4, keys_strings=["cat", "", "dog"], values_int64s=[3, 4, 5]), words, 0)
    yield ("LabelEncoder from words to words", node_model("LabelEncoder", [(text, ["n", 2])], [text], 4, keys_strings=["cat", "grün"], values_strings=["dog", ""]), words, 0)
    yield ("LabelEncoder from numbers to words", node_model("LabelEncoder", [(INT64, ["n", 5])], [text], 4, keys_int64s=[0, -1, 2], values_strings=["a", "é", ""]),
           lambda n: GENERATOR.integers(-3, 4, (n, 5)), 0)
    yield ("OneHotEncoder of texts", node_model("OneHotEncoder", [(text, ["n"])], [FLOAT], 1, cats_strings=["cat", "dog", ""], zeros=1), lambda n: words(n)[:, 0], 0)
    yield ("CategoryMapper to numbers", node_model("CategoryMapper", [(text, ["n", 2])], [INT64], 1, cats_strings=["cat", "dog"], cats_int64s=[7, 8]), words, 0)
    yield ("CategoryMapper to words", node_model("CategoryMapper", [(INT64, ["n", 2])], [text], 1, cats_strings=["cat", "dog"], cats_int64s=[1, 2]),
           lambda n: GENERATOR.integers(0, 4, (n, 2)), 0)


# Comparison


def plain(value):
    """Lists of maps as a matrix with a column for each key, smaller ones first."""
    if isinstance(value, list):
        return np.array([[row[key] for key in sorted(row)] for row in value], np.float32).reshape(len(value), -1)
    return np.asarray(value)


def difference(ours, theirs, tolerance):
    """What keeps two lists of results from agreeing; empty where nothing does."""
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if isinstance(a, list) != isinstance(b, list) or isinstance(b, list) and [set(row) for row in a] != [set(row) for row in b]:
            return f"result {index} has other keys, or is no list of maps as the file declares it"
        a, b = plain(a), plain(b)
        if not b.size and not a.size:
            continue
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"result {index} is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        equal = (a == b) | (np.isnan(a) & np.isnan(b)) if a.dtype.kind == "f" else a == b
        if a.dtype.kind == "f" and np.isfinite(b).any():
            scale = max(float(np.abs(b[np.isfinite(b)]).max()), 1e-30)
            with np.errstate(invalid="ignore"):
                equal |= np.abs(a.astype(np.float64) - b.astype(np.float64)) <= tolerance * scale
        if equal.mean() < 0.99:
            return f"result {index}: {1 - equal.mean():.1%} of elements differ, {a[~equal][:3]} for {b[~equal][:3]}"
    return ""


def files(folder):
    np.random.seed(11)  # what scikit-learn draws from
    for source in (small_files, tree_files, ensemble_files, sklearn_files, boosted_files, text_files):
        for name, model, make, tolerance in source():
            def compare(run, theirs, make=make, tolerance=tolerance):
                def feed(count):
                    made = make(count)
                    return made if isinstance(made, list) else [made]
                found = ""
                for count in (1, 7, 130):
                    inputs = feed(count)
                    found = found or difference(run(inputs), theirs(inputs), tolerance)
                run(feed(0))
                return found
            yield name, model, compare


if __name__ == "__main__":
    main(__doc__, files)
