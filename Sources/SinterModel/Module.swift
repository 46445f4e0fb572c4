import SinterCore
