import { render } from 'preact';

import { App } from './app';
import { startTheme } from './state/theme';
import './styles/app.css';

startTheme();
const root = document.getElementById('app');
if (root) render(<App />, root);
