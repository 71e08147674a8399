# scikit-learn splits and scales; arrays in float32, statistics as rows.
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def split_and_scale(X, y, test_size, seed):
    A, B, a, b = train_test_split(X, y, test_size=test_size, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(A)
    mean, std = scaler.mean_[None, :], scaler.scale_[None, :]
    return scaler.transform(A).astype(np.float32), scaler.transform(B).astype(np.float32), a, b, mean, std
